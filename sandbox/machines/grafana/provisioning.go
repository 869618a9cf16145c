package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"gopkg.in/yaml.v3"
)

// dataSource is what a file of provisioning/datasources says of one.
type dataSource struct {
	Name           string            `yaml:"name" json:"name"`
	UID            string            `yaml:"uid" json:"uid"`
	Type           string            `yaml:"type" json:"type"`
	Access         string            `yaml:"access" json:"access"`
	URL            string            `yaml:"url" json:"url"`
	IsDefault      bool              `yaml:"isDefault" json:"isDefault"`
	Editable       bool              `yaml:"editable" json:"-"`
	BasicAuth      bool              `yaml:"basicAuth" json:"basicAuth"`
	BasicAuthUser  string            `yaml:"basicAuthUser" json:"basicAuthUser"`
	JSONData       map[string]any    `yaml:"jsonData" json:"jsonData"`
	SecureJSONData map[string]string `yaml:"secureJsonData" json:"-"`
}

type provider struct {
	Name            string `yaml:"name"`
	Folder          string `yaml:"folder"`
	Type            string `yaml:"type"`
	DisableDeletion bool   `yaml:"disableDeletion"`
	AllowUIUpdates  bool   `yaml:"allowUiUpdates"`
	Options         struct {
		Path string `yaml:"path"`
	} `yaml:"options"`
}

type shown struct {
	UID, Title, Folder, File string
	Content                  json.RawMessage
	uids                     []string
}

// readFiles decodes every YAML file of a folder, refusing keys that `into` does not know.
func readFiles(folder string, into func() any) error {
	found, err := filepath.Glob(filepath.Join(folder, "*.y*ml"))
	if err != nil {
		return err
	}
	for _, path := range found {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		decoder.KnownFields(true)
		if err := decoder.Decode(into()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

var reference = regexp.MustCompile(`\$\$|\$\{?\w+(\{[^}]*\})?`)

// plain gives a value as Grafana takes it: $$ is a dollar. Other references of Grafana are refused: nothing here expands them.
func plain(value string) (string, error) {
	for _, found := range reference.FindAllString(value, -1) {
		if found != "$$" {
			return "", fmt.Errorf("a reference by $, which the stand-in does not follow")
		}
	}
	return strings.ReplaceAll(value, "$$", "$"), nil
}

func dataSources(folder string) (map[string]dataSource, error) {
	type file struct {
		APIVersion  int          `yaml:"apiVersion"`
		Prune       bool         `yaml:"prune"`
		DataSources []dataSource `yaml:"datasources"`
	}
	files := []*file{}
	err := readFiles(folder, func() any { files = append(files, &file{}); return files[len(files)-1] })
	if err != nil {
		return nil, err
	}
	found := map[string]dataSource{}
	for _, one := range files {
		for _, source := range one.DataSources {
			if source.Type != "prometheus" || source.Access != "proxy" || source.UID == "" || source.URL == "" {
				return nil, fmt.Errorf("data source %q: the stand-in knows the type prometheus, access proxy, with uid and url", source.Name)
			}
			for name, value := range source.SecureJSONData {
				if source.SecureJSONData[name], err = plain(value); err != nil {
					return nil, fmt.Errorf("data source %q: %s: %w", source.Name, name, err)
				}
			}
			if _, isTwice := found[source.UID]; isTwice {
				return nil, fmt.Errorf("data source %q: uid %q is taken", source.Name, source.UID)
			}
			found[source.UID] = source
		}
	}
	return found, nil
}

// dashboards reads what the providers of a folder show, by Grafana's own schema; each data source in it must be there.
func dashboards(folder string, sources map[string]dataSource) (map[string]shown, error) {
	type file struct {
		APIVersion int        `yaml:"apiVersion"`
		Providers  []provider `yaml:"providers"`
	}
	files := []*file{}
	err := readFiles(folder, func() any { files = append(files, &file{}); return files[len(files)-1] })
	if err != nil {
		return nil, err
	}
	found := map[string]shown{}
	for _, one := range files {
		for _, provider := range one.Providers {
			paths, _ := filepath.Glob(filepath.Join(provider.Options.Path, "*.json"))
			if provider.Type != "file" || len(paths) == 0 {
				return nil, fmt.Errorf("provider %q: type %q, and %d dashboards in %q", provider.Name, provider.Type, len(paths), provider.Options.Path)
			}
			for _, path := range paths {
				made, err := read(path)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", path, err)
				}
				for _, uid := range made.uids {
					if _, isThere := sources[uid]; !isThere {
						return nil, fmt.Errorf("%s: there is no data source with the uid %q", path, uid)
					}
				}
				if other, isTwice := found[made.UID]; isTwice {
					return nil, fmt.Errorf("%s: its uid %q is that of %s", path, made.UID, other.File)
				}
				made.Folder, made.File = provider.Folder, filepath.Base(path)
				found[made.UID] = made
			}
		}
	}
	return found, nil
}

func read(path string) (shown, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return shown{}, err
	}
	board, err := parsed(content)
	if err != nil {
		return shown{}, fmt.Errorf("not of Grafana's schema: %w", err)
	}
	if board.Uid == nil || board.Title == nil {
		return shown{}, fmt.Errorf("uid and title are needed")
	}
	var tree any
	if err := json.Unmarshal(content, &tree); err != nil {
		return shown{}, err
	}
	made := shown{UID: *board.Uid, Title: *board.Title, Content: content}
	collect(tree, &made.uids)
	return made, nil
}

// parsed reads a dashboard by Grafana's own library: no unknown key, no missing one, every value in its range.
func parsed(content []byte) (dashboard.Dashboard, error) {
	var strict, board dashboard.Dashboard
	err := strict.UnmarshalJSONStrict(content)
	// The library gives an empty list of errors for none, and leaves the panels out then.
	if found := (cog.BuildErrors{}); err != nil && (!errors.As(err, &found) || len(found) > 0) {
		return board, err
	}
	if err := json.Unmarshal(content, &board); err != nil {
		return board, err
	}
	return board, board.Validate()
}

// collect finds the uid of every data source that is named.
func collect(tree any, into *[]string) {
	switch found := tree.(type) {
	case map[string]any:
		for key, value := range found {
			if source, isOne := value.(map[string]any); isOne && key == "datasource" {
				uid, _ := source["uid"].(string)
				*into = append(*into, uid)
			}
			collect(value, into)
		}
	case []any:
		for _, value := range found {
			collect(value, into)
		}
	}
}
