"""Stand-ins for the controllers that make things in AWS for a cluster: what they leave behind is what they make.

They make and delete, with the real ones' tags, names and finalizers, what stands for a Service of type LoadBalancer
(cloud controller manager), an Ingress of class alb (AWS Load Balancer Controller), a claim of the provisioner
ebs.csi.aws.com (EBS CSI driver), and one interface for each node (VPC CNI). They forward no packet, mount no disk, and
follow few annotations: those in the modules. Binding, protection and garbage collection are the real
kube-controller-manager's.

The cluster's supervisor runs them once a second (`keeper.CloudControllers`). ``PUT /_timonel/settings
{"cloud_controllers": false}`` makes them idle, as when their pods are dead.
"""
