// The sandbox's stand-in for Grafana, which no registry reached here has. It reads the settings and the provisioned files
// that Grafana reads, ends at once on what is wrong with them, asks for the login, and answers what a test needs to see that
// they work: health, search, dashboards, data sources and queries through them. It has no pages.
package main

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const says = "This is the Timonel sandbox's stand-in for Grafana: it has no pages and a small part of the API."

// version is the version of the image that this stands in for, as far as the sandbox knows one.
const version = "0-stand-in"

type server struct {
	user, password string
	sources        map[string]dataSource
	boards         map[string]shown
	clients        map[string]*http.Client
}

func main() {
	fmt.Println(says)
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println("grafana stand-in version", version)
		return
	}
	if err := serve(); err != nil {
		fmt.Println("cannot start:", err)
		os.Exit(1)
	}
}

func serve() error {
	found, err := settings(os.Environ())
	if err != nil {
		return err
	}
	provisioning := found["GF_PATHS_PROVISIONING"]
	made := &server{user: found["GF_SECURITY_ADMIN_USER"], password: found["GF_SECURITY_ADMIN_PASSWORD"]}
	if made.sources, err = dataSources(filepath.Join(provisioning, "datasources")); err != nil {
		return err
	}
	if made.boards, err = dashboards(filepath.Join(provisioning, "dashboards"), made.sources); err != nil {
		return err
	}
	if made.clients, err = clients(made.sources); err != nil {
		return err
	}
	fmt.Printf("provisioned: %d data sources, %d dashboards\n", len(made.sources), len(made.boards))
	listener := &http.Server{
		Addr:              ":" + found["GF_SERVER_HTTP_PORT"],
		Handler:           made.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12},
	}
	return listener.ListenAndServeTLS(found["GF_SERVER_CERT_FILE"], found["GF_SERVER_CERT_KEY"])
}

// clients are how each data source is asked: with its authority and under the name that stands in its certificate.
func clients(sources map[string]dataSource) (map[string]*http.Client, error) {
	made := map[string]*http.Client{}
	for uid, source := range sources {
		settings := &tls.Config{MinVersion: tls.VersionTLS12}
		if with, _ := source.JSONData["tlsAuthWithCACert"].(bool); with {
			settings.RootCAs = x509.NewCertPool()
			if !settings.RootCAs.AppendCertsFromPEM([]byte(source.SecureJSONData["tlsCACert"])) {
				return nil, fmt.Errorf("data source %q: tlsCACert is no certificate", source.Name)
			}
		}
		settings.ServerName, _ = source.JSONData["serverName"].(string)
		made[uid] = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: settings}}
	}
	return made, nil
}

func (s *server) routes() http.Handler {
	inside := http.NewServeMux()
	inside.HandleFunc("GET /api/search", s.search)
	inside.HandleFunc("GET /api/dashboards/uid/{uid}", s.board)
	inside.HandleFunc("GET /api/datasources", s.listSources)
	inside.HandleFunc("/api/datasources/proxy/uid/{uid}/{path...}", s.proxy)
	inside.HandleFunc("/", func(writer http.ResponseWriter, _ *http.Request) {
		answer(writer, http.StatusNotImplemented, map[string]string{"message": says})
	})
	all := http.NewServeMux()
	all.HandleFunc("GET /api/health", func(writer http.ResponseWriter, _ *http.Request) {
		answer(writer, http.StatusOK, map[string]string{"database": "ok", "version": version})
	})
	all.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		user, password, _ := request.BasicAuth()
		isUser := subtle.ConstantTimeCompare([]byte(user), []byte(s.user))
		if isUser&subtle.ConstantTimeCompare([]byte(password), []byte(s.password)) != 1 {
			answer(writer, http.StatusUnauthorized, map[string]string{"message": "Unauthorized"})
			return
		}
		inside.ServeHTTP(writer, request)
	})
	return all
}

func (s *server) search(writer http.ResponseWriter, _ *http.Request) {
	type hit struct {
		UID         string `json:"uid"`
		Title       string `json:"title"`
		Type        string `json:"type"`
		FolderTitle string `json:"folderTitle"`
	}
	hits := []hit{}
	for _, board := range s.boards {
		hits = append(hits, hit{board.UID, board.Title, "dash-db", board.Folder})
	}
	sort.Slice(hits, func(i, j int) bool { return hits[i].Title < hits[j].Title })
	answer(writer, http.StatusOK, hits)
}

func (s *server) board(writer http.ResponseWriter, request *http.Request) {
	board, isThere := s.boards[request.PathValue("uid")]
	if !isThere {
		answer(writer, http.StatusNotFound, map[string]string{"message": "Dashboard not found"})
		return
	}
	meta := map[string]any{"provisioned": true, "provisionedExternalId": board.File, "folderTitle": board.Folder}
	answer(writer, http.StatusOK, map[string]any{"dashboard": board.Content, "meta": meta})
}

func (s *server) listSources(writer http.ResponseWriter, _ *http.Request) {
	listed := []dataSource{}
	for _, source := range s.sources {
		listed = append(listed, source)
	}
	answer(writer, http.StatusOK, listed)
}

// proxy hands a request for the data source's API on, with its login in place of the caller's.
func (s *server) proxy(writer http.ResponseWriter, request *http.Request) {
	source, isThere := s.sources[request.PathValue("uid")]
	path := request.PathValue("path")
	if !isThere || !strings.HasPrefix(path, "api/v1/") {
		answer(writer, http.StatusNotFound, map[string]string{"message": "no such data source, or not its api/v1"})
		return
	}
	target := strings.TrimSuffix(source.URL, "/") + "/" + path + "?" + request.URL.RawQuery
	asked, err := http.NewRequestWithContext(request.Context(), request.Method, target, request.Body)
	if err != nil {
		answer(writer, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	asked.Header.Set("Content-Type", request.Header.Get("Content-Type"))
	if source.BasicAuth {
		asked.SetBasicAuth(source.BasicAuthUser, source.SecureJSONData["basicAuthPassword"])
	}
	got, err := s.clients[source.UID].Do(asked)
	if err != nil {
		answer(writer, http.StatusBadGateway, map[string]string{"message": err.Error()})
		return
	}
	defer got.Body.Close()
	writer.Header().Set("Content-Type", got.Header.Get("Content-Type"))
	writer.WriteHeader(got.StatusCode)
	_, _ = io.Copy(writer, got.Body)
}

func answer(writer http.ResponseWriter, status int, content any) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	_ = json.NewEncoder(writer).Encode(content)
}
