#!/bin/sh
# Runs inside the new root (chroot) once: the newest container engine, then what a booted host needs to feel at home in nspawn.
# usage: finish.sh MIRROR ENGINE_SUITE   (ENGINE_SUITE is a Debian suite, or "-" for the root's own engine)
set -eu
mirror=$1
engine_suite=$2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d # packages must not start services in a chroot
chmod 755 /usr/sbin/policy-rc.d

engine="docker.io containerd runc tini-static"
if [ "$engine_suite" != "-" ]; then
    # A frozen copy of the archive serves a Release file past its date; its signature is checked all the same.
    printf 'deb [check-valid-until=no] %s %s main\n' "$mirror" "$engine_suite" >/etc/apt/sources.list.d/engine.list
    printf 'Package: *\nPin: release n=sid\nPin-Priority: 50\n' >/etc/apt/preferences.d/engine
fi
apt-get update -q
if [ "$engine_suite" != "-" ]; then
    # shellcheck disable=SC2086  # a list of package names
    apt-get install -q -y --no-install-recommends -t "$engine_suite" $engine
else
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $engine
fi
# the command line is a package of its own from trixie on
if ! command -v docker >/dev/null; then
    apt-get install -q -y --no-install-recommends -t "${engine_suite#-}" docker-cli 2>/dev/null ||
        apt-get install -q -y --no-install-recommends docker-cli
fi
docker --version
rm -f /etc/apt/sources.list.d/engine.list /etc/apt/preferences.d/engine

# The engine is started by the node agent, as on an AMI that brings Docker but leaves it off.
for unit in docker.service docker.socket containerd.service; do
    systemctl disable "$unit" 2>/dev/null || true
done
systemctl enable cloud-init-local.service cloud-config.service cloud-final.service
systemctl enable cloud-init.service 2>/dev/null || systemctl enable cloud-init-network.service cloud-init-main.service
# These would write into the one kernel that all hosts and the VM share.
for unit in systemd-sysctl.service procps.service systemd-modules-load.service systemd-binfmt.service systemd-random-seed.service \
    systemd-pstore.service systemd-oomd.service nftables.service conntrackd.service; do
    systemctl mask "$unit" 2>/dev/null || true
done
# Port 9100 is for the stack's own node_exporter.
for unit in prometheus-node-exporter.service prometheus-node-exporter-apt.timer prometheus-node-exporter-nvme.timer \
    prometheus-node-exporter-smartmon.timer prometheus-node-exporter-ipmitool-sensor.timer prometheus-node-exporter-mellanox-hca-temp.timer; do
    systemctl mask "$unit" 2>/dev/null || true
done
# Nothing of the VM's hardware belongs to a host, and nobody logs in on its console.
for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount \
    systemd-networkd-wait-online.service console-getty.service getty.target apt-daily.timer apt-daily-upgrade.timer \
    systemd-resolved.service systemd-timesyncd.service e2scrub_all.timer fstrim.timer man-db.timer dpkg-db-backup.timer; do
    systemctl mask "$unit" 2>/dev/null || true
done

# cloud-init asks for an IMDSv2 token only where the DMI's uuid starts with "ec2"; there is no DMI in a container.
source=/usr/lib/python3/dist-packages/cloudinit/sources/DataSourceEc2.py
sed -i 's/^    if uuid_str\.startswith("ec2"):$/    if True:/' "$source"
grep -q '^    if True:$' "$source" || {
    echo "cloud-init's DataSourceEc2.py has changed: identify_aws was not found" >&2
    exit 1
}
# The address is on eth0 before boot, as DHCP would have left it: the local stage must not ask for one.
for client in /usr/sbin/dhclient /usr/sbin/dhcpcd /usr/sbin/udhcpc; do
    if [ -e "$client" ]; then mv "$client" "$client.off"; fi
done

rm -f /usr/sbin/policy-rc.d /var/lib/dbus/machine-id /etc/hostname
: >/etc/machine-id
apt-get clean
rm -f /etc/resolv.conf
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/*.log /var/log/apt /usr/share/doc /usr/share/man
dpkg-query -W -f '${Package} ${Version}\n' systemd cloud-init docker.io containerd runc python3 python3-boto3 >/etc/timonel-image
