// The sandbox's stand-in for the Datadog agent. It reports that it lives, the load of the machine and what it receives by
// DogStatsD to the sandbox's intake, which the hosts' resolver gives for api.<DD_SITE>; in plain HTTP, since the sandbox
// has no certificate for Datadog's names. Checks, logs, processes and traces of the real agent are not there.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// interval is the real agent's interval between two reports.
const interval = 15 * time.Second

type point struct {
	Metric string       `json:"metric"`
	Points [][2]float64 `json:"points"`
	Type   string       `json:"type"`
	Host   string       `json:"host"`
	Tags   []string     `json:"tags"`
}

type agent struct {
	key, url, host string
	tags           []string
	lock           sync.Mutex
	received       map[string]point
}

// secret gives the API key from the environment, or from where an ENC[...] handle in it says.
func secret(value string) (string, error) {
	if !strings.HasPrefix(value, "ENC[") {
		return value, nil
	}
	handle := strings.TrimSuffix(strings.TrimPrefix(value, "ENC["), "]")
	backend, command := os.Getenv("DD_SECRET_BACKEND_TYPE"), os.Getenv("DD_SECRET_BACKEND_COMMAND")
	path := ""
	switch {
	case command == "/readsecret_multiple_providers.sh" && strings.HasPrefix(handle, "file@"):
		path = strings.TrimPrefix(handle, "file@")
	case command == "/readsecret.sh" || command == "/readsecret.py":
		folder := os.Getenv("DD_SECRET_BACKEND_ARGUMENTS")
		if folder == "" {
			folder = "/run/secrets"
		}
		path = filepath.Join(folder, handle)
	case backend == "docker.secrets":
		path = filepath.Join("/run/secrets", handle)
	default:
		return "", errors.New("DD_API_KEY is a handle, and the stand-in knows /readsecret_multiple_providers.sh with file@, /readsecret.sh, /readsecret.py and docker.secrets only")
	}
	content, err := os.ReadFile(path)
	return strings.TrimSpace(string(content)), err
}

func (a *agent) send(path string, content any) error {
	body, err := json.Marshal(content)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, a.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("DD-API-KEY", a.key)
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s: %s %s", path, answer.Status, said)
	}
	return nil
}

func (a *agent) report() error {
	now := float64(time.Now().Unix())
	gauge := func(name string, value float64) point {
		return point{name, [][2]float64{{now, value}}, "gauge", a.host, a.tags}
	}
	series := []point{gauge("datadog.agent.running", 1)}
	if content, err := os.ReadFile("/proc/loadavg"); err == nil {
		if load, err := strconv.ParseFloat(strings.Fields(string(content))[0], 64); err == nil {
			series = append(series, gauge("system.load.1", load))
		}
	}
	a.lock.Lock()
	for _, one := range a.received {
		one.Points[0][0] = now
		series = append(series, one)
	}
	a.received = map[string]point{}
	a.lock.Unlock()
	if err := a.send("/api/v1/series", map[string]any{"series": series}); err != nil {
		return err
	}
	check := map[string]any{"check": "datadog.agent.up", "host_name": a.host, "status": 0, "timestamp": int64(now), "tags": a.tags}
	return a.send("/api/v1/check_run", []any{check})
}

// listen takes DogStatsD datagrams (name:value|type|#tag,tag): counts add up, gauges keep the last value.
func (a *agent) listen() {
	address := "127.0.0.1:8125"
	if os.Getenv("DD_DOGSTATSD_NON_LOCAL_TRAFFIC") == "true" {
		address = ":8125"
	}
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		fmt.Println("no DogStatsD:", err)
		return
	}
	buffer := make([]byte, 65536)
	for {
		size, _, err := socket.ReadFrom(buffer)
		if err != nil {
			return
		}
		for _, line := range strings.Split(strings.TrimSpace(string(buffer[:size])), "\n") {
			a.take(line)
		}
	}
}

func (a *agent) take(line string) {
	name, rest, found := strings.Cut(line, ":")
	parts := strings.Split(rest, "|")
	value, err := strconv.ParseFloat(parts[0], 64)
	if !found || len(parts) < 2 || err != nil || strings.HasPrefix(name, "_") {
		return
	}
	tags := append([]string{}, a.tags...)
	for _, part := range parts[2:] {
		if strings.HasPrefix(part, "#") {
			tags = append(tags, strings.Split(part[1:], ",")...)
		}
	}
	kind, key := "gauge", name+"|"+strings.Join(tags, ",")
	a.lock.Lock()
	defer a.lock.Unlock()
	if parts[1] == "c" {
		kind = "count"
		if before, there := a.received[key]; there {
			value += before.Points[0][1]
		}
	}
	a.received[key] = point{name, [][2]float64{{0, value}}, kind, a.host, tags}
}

func main() {
	fmt.Println("This is the Timonel sandbox's stand-in for the Datadog agent: it reports little, and to the sandbox only.")
	key, err := secret(os.Getenv("DD_API_KEY"))
	if err != nil || key == "" {
		fmt.Println("no API key:", err)
		os.Exit(1)
	}
	site := os.Getenv("DD_SITE")
	if site == "" {
		site = "datadoghq.com"
	}
	host := os.Getenv("DD_HOSTNAME")
	if host == "" {
		host, _ = os.Hostname()
	}
	tags := strings.FieldsFunc(os.Getenv("DD_TAGS"), func(r rune) bool { return r == ' ' || r == ',' })
	a := &agent{key: key, url: "http://api." + site, host: host, tags: tags, received: map[string]point{}}
	go a.listen()
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	ticker := time.NewTicker(interval)
	for {
		if err := a.report(); err != nil {
			fmt.Println("report:", err)
		}
		select {
		case <-told:
			return
		case <-ticker.C:
		}
	}
}
