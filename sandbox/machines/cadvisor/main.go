// A small cAdvisor for the sandbox: cAdvisor's own libraries with the command-line flags of its program.
//
// cAdvisor's program (its module cmd) is in no Go module proxy, its libraries are. Served are /metrics and /healthz; the
// pages and the JSON API of the real program are not.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/cadvisor/cache/memory"
	"github.com/google/cadvisor/container"
	_ "github.com/google/cadvisor/container/containerd/install"
	_ "github.com/google/cadvisor/container/docker/install"
	_ "github.com/google/cadvisor/container/systemd/install"
	v2 "github.com/google/cadvisor/info/v2"
	"github.com/google/cadvisor/manager"
	"github.com/google/cadvisor/metrics"
	"github.com/google/cadvisor/utils/sysfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// version is the version of cAdvisor's libraries, set by the linker.
var version = "unknown"

// notByDefault are the kinds of metrics that cAdvisor's program leaves out unless told otherwise.
var notByDefault = container.MetricSet{
	container.MemoryNumaMetrics:              {},
	container.NetworkTcpUsageMetrics:         {},
	container.NetworkUdpUsageMetrics:         {},
	container.NetworkAdvancedTcpUsageMetrics: {},
	container.ProcessSchedulerMetrics:        {},
	container.ProcessMetrics:                 {},
	container.HugetlbUsageMetrics:            {},
	container.ReferencedMemoryMetrics:        {},
	container.CPUTopologyMetrics:             {},
	container.ResctrlMetrics:                 {},
	container.CPUSetMetrics:                  {},
}

func main() {
	klog.InitFlags(nil)
	listenIP := flag.String("listen_ip", "", "address to listen on, all by default")
	port := flag.Int("port", 8080, "port to listen on")
	endpoint := flag.String("prometheus_endpoint", "/metrics", "path of the metrics")
	storage := flag.Duration("storage_duration", 2*time.Minute, "how long statistics are kept")
	labels := flag.Bool("store_container_labels", true, "all labels of containers as labels of metrics")
	allowed := flag.String("whitelisted_container_labels", "", "labels kept when store_container_labels is off")
	environment := flag.String("env_metadata_whitelist", "", "prefixes of environment variables kept as labels")
	cgroups := flag.String("raw_cgroup_prefix_whitelist", "", "prefixes of cgroup paths that are followed")
	show := flag.Bool("version", false, "print the version and end")
	left, only := container.MetricSet{}, container.MetricSet{}
	flag.Var(&left, "disable_metrics", "kinds of metrics left out")
	flag.Var(&only, "enable_metrics", "kinds of metrics taken, no others")
	flag.Parse()
	if *show {
		fmt.Printf("cAdvisor version %s\n", version)
		return
	}
	taken := only
	if len(taken) == 0 {
		if len(left) == 0 {
			left = notByDefault
		}
		taken = container.AllMetrics.Difference(left)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}
	watcher, err := manager.New(memory.New(*storage, nil), sysfs.NewRealSysFs(), manager.HousekeepingConfigFlags, taken,
		&client, strings.Split(*cgroups, ","), strings.Split(*environment, ","), "", 0)
	if err != nil {
		klog.Fatalf("cannot make a manager: %v", err)
	}
	if err := watcher.Start(); err != nil {
		klog.Fatalf("cannot start the manager: %v", err)
	}
	named := metrics.DefaultContainerLabels
	if !*labels {
		named = metrics.BaseContainerLabels(strings.Split(*allowed, ","))
	}
	// Statistics of one request only: the collector keeps what it was asked for.
	http.HandleFunc(*endpoint, func(writer http.ResponseWriter, request *http.Request) {
		asked := v2.RequestOptions{IdType: v2.TypeName, Count: 1, Recursive: true}
		registry := prometheus.NewRegistry()
		registry.MustRegister(
			metrics.NewPrometheusCollector(watcher, named, taken, clock.RealClock{}, asked),
			metrics.NewPrometheusMachineCollector(watcher, taken),
			collectors.NewGoCollector(),
			collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		)
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(writer, request)
	})
	http.HandleFunc("/healthz", func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(writer, "ok") })
	klog.Infof("cAdvisor %s (the sandbox's stand-in) on port %d", version, *port)
	if err := http.ListenAndServe(*listenIP+":"+strconv.Itoa(*port), nil); err != nil {
		klog.Error(err)
		os.Exit(1)
	}
}
