#!/bin/bash
# A node of Timonel: installs what is missing, fetches the agent by its hash and starts it. Holds no secret.
set -o errexit -o nounset -o pipefail
umask 022

readonly REGION='us-east-1'
readonly BUCKET='swarm-state-bucket-id'
readonly ARTEFACT='artefacts/agent-5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e.pyz'
readonly SHA256='5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e'

# The image may say where AWS is (AWS_ENDPOINT_URL) and how to reach the internet (HTTPS_PROXY).
if [[ -r /etc/environment ]]; then
  set -o allexport
  # shellcheck source=/dev/null
  source /etc/environment
  set +o allexport
fi

say() { echo "timonel: $*" >&2; }

# Goes on for ever: the launch hook's time-out is what gives up on an instance.
retry() {
  local pause=2
  until "$@"; do
    say "$1 failed, trying again in ${pause} s"
    sleep "${pause}"
    pause=$((pause < 30 ? pause * 2 : 30))
  done
}

missing_packages() {
  command -v dockerd >/dev/null || echo docker.io
  python3 -c 'import boto3' 2>/dev/null || echo python3-boto3
  command -v openssl >/dev/null || echo openssl
  command -v iptables >/dev/null || echo iptables
}

install_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) && return 0
  say "installing ${missing[*]}"
  # The agent starts dockerd when its certificates and its configuration are written, not the package.
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
  local status=0
  apt-get -q -o DPkg::Lock::Timeout=300 update &&
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
      install "${missing[@]}" || status=$?
  rm -f /usr/sbin/policy-rc.d
  return "${status}"
}

write_files() {
  install -d -m 0755 /etc/timonel /opt/timonel
  cat >/etc/timonel/agent.json <<'JSON'
{
  "bucket": "swarm-state-bucket-id",
  "cluster": "swarm-state-bucket-id",
  "docker_bridge": "172.17.0.1/16",
  "gwbridge_pool": "172.18.0.0/16",
  "labels": {
    "disk": "ssd"
  },
  "log_group": "swarm-state-logs",
  "mtu": 1500,
  "platform": "swarm",
  "pool": "web",
  "region": "us-east-1",
  "role": "worker",
  "secrets": {
    "workers": "arn:aws:secretsmanager:us-east-1:123456789012:swarm-state-workers"
  },
  "target_groups": [
    "arn:aws:lb:us-east-1:123456789012:swarm-p80"
  ],
  "version": 1
}
JSON
  cat >/usr/local/bin/timonel-node <<'WRAPPER'
#!/bin/sh
# For the human on the host: timonel-node status | members | recover --fence | snapshot
set -a
[ -r /etc/environment ] && . /etc/environment
set +a
exec /usr/bin/python3 /opt/timonel/agent.pyz "$@"
WRAPPER
  chmod 0755 /usr/local/bin/timonel-node
  cat >/etc/systemd/system/timonel-agent.service <<'UNIT'
[Unit]
Description=Timonel node agent
Wants=network-online.target
# After Docker at boot means before it at shutdown: the agent can still leave the swarm in order.
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
EnvironmentFile=-/etc/environment
ExecStart=/usr/bin/python3 /opt/timonel/agent.pyz run
Restart=always
RestartSec=5
SyslogIdentifier=timonel-agent

[Install]
WantedBy=multi-user.target
UNIT
}

fetch_agent() {
  python3 - "${REGION}" "${BUCKET}" "${ARTEFACT}" "${SHA256}" <<'PYTHON'
import hashlib
import pathlib
import sys

import boto3

region, bucket, key, wanted = sys.argv[1:]
content = boto3.client("s3", region_name=region).get_object(Bucket=bucket, Key=key)["Body"].read()
found = hashlib.sha256(content).hexdigest()
if found != wanted:
    sys.exit(f"timonel: {key} has the hash {found}, not {wanted}: it is not run")
partial = pathlib.Path("/opt/timonel/agent.pyz.part")
partial.write_bytes(content)
partial.chmod(0o755)
partial.rename("/opt/timonel/agent.pyz")
PYTHON
}

retry install_packages
write_files
retry fetch_agent
systemctl daemon-reload
systemctl enable --now timonel-agent.service
say "the agent is running"
