package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// pluginFile is what a Python package carries in its folder to say which Pulumi plugin it needs.
type pluginFile struct {
	Resource         bool   `json:"resource"`
	Name             string `json:"name"`
	Version          string `json:"version"`
	Server           string `json:"server"`
	Parameterization *struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		Value   []byte `json:"value"`
	} `json:"parameterization"`
}

// GetRequiredPackages names the plugins of the Pulumi packages that are installed in the program's environment.
func (h *languageHost) GetRequiredPackages(
	ctx context.Context, req *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	opts, err := parseOptions(req.Info)
	if err != nil {
		return nil, err
	}
	tc, err := usableToolchain(ctx, opts)
	if err != nil {
		return nil, err
	}
	folders, err := packageFolders(ctx, tc)
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.GetRequiredPackagesResponse{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*", "pulumi-plugin.json"))
		if err != nil {
			return nil, err
		}
		sort.Strings(files)
		for _, file := range files {
			dependency, err := readPluginFile(file)
			if err != nil {
				return nil, err
			}
			if dependency != nil {
				response.Packages = append(response.Packages, dependency)
			}
		}
	}
	return response, nil
}

// packageFolders are the folders of installed packages. A virtual environment's are found without starting Python,
// which would cost every preview a tenth of a second.
func packageFolders(ctx context.Context, tc toolchain.Toolchain) ([]string, error) {
	venv, err := tc.VirtualEnvPath(ctx)
	if err != nil {
		return nil, err
	}
	if venv == "" {
		python, _, err := toolchain.CommandPath()
		if err != nil {
			return nil, err
		}
		if parent := filepath.Dir(filepath.Dir(python)); toolchain.IsVirtualEnv(parent) {
			venv = parent
		}
	}
	if venv != "" {
		return filepath.Glob(filepath.Join(venv, "lib", "python3*", "site-packages"))
	}
	var folders []string
	err = askPython(ctx, tc, "import json, sys; print(json.dumps(sys.path))", &folders)
	return folders, err
}

// readPluginFile returns nil for a package that needs no plugin.
func readPluginFile(path string) (*pulumirpc.PackageDependency, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // uninstalled between the listing and now
	} else if err != nil {
		return nil, err
	}
	var file pluginFile
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("%s is not a plugin description: %w", path, err)
	}
	if !file.Resource {
		return nil, nil
	}
	if file.Name == "" {
		folder := filepath.Base(filepath.Dir(path))
		file.Name = strings.ReplaceAll(strings.TrimPrefix(folder, "pulumi_"), "_", "-")
	}
	dependency := &pulumirpc.PackageDependency{
		Name: file.Name, Kind: "resource", Version: file.Version, Server: file.Server,
	}
	if p := file.Parameterization; p != nil {
		dependency.Parameterization = &pulumirpc.PackageParameterization{Name: p.Name, Version: p.Version, Value: p.Value}
	}
	return dependency, nil
}

// About says which Python the program runs on. The engine asks in every preview, so it asks Python once and leaves out
// what the library's own About adds (pip's version: four tenths of a second).
func (h *languageHost) About(ctx context.Context, req *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	opts, err := parseOptions(req.Info)
	if err != nil {
		return nil, err
	}
	tc, err := usableToolchain(ctx, opts)
	if err != nil {
		return nil, err
	}
	answer := struct{ Executable, Version string }{}
	script := "import json, platform, sys; " +
		"print(json.dumps({'executable': sys.executable, 'version': platform.python_version()}))"
	if err := askPython(ctx, tc, script, &answer); err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{
		Executable: answer.Executable,
		Version:    answer.Version,
		Metadata:   map[string]string{"host": "timonel: stands in for Pulumi's own Python language host"},
	}, nil
}

// askPython runs a line of Python and reads the JSON that it prints.
func askPython(ctx context.Context, tc toolchain.Toolchain, script string, answer any) error {
	cmd, err := tc.Command(ctx, "-c", script)
	if err != nil {
		return err
	}
	cmd.Dir = os.TempDir() // not the program's folder, where a json.py would stand in for Python's own
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("asking %s: %w", cmd.Path, err)
	}
	if err := json.Unmarshal(output, answer); err != nil {
		return fmt.Errorf("asking %s: %w", cmd.Path, err)
	}
	return nil
}

// GetProgramDependencies lists the Python packages of the program's environment.
func (h *languageHost) GetProgramDependencies(
	ctx context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	opts, err := parseOptions(req.Info)
	if err != nil {
		return nil, err
	}
	tc, err := usableToolchain(ctx, opts)
	if err != nil {
		return nil, err
	}
	packages, err := tc.ListPackages(ctx, req.TransitiveDependencies)
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, p := range packages {
		response.Dependencies = append(response.Dependencies,
			&pulumirpc.DependencyInfo{Name: p.Name, Version: p.Version})
	}
	return response, nil
}

// InstallDependencies makes the program's environment and installs what the program asks for.
func (h *languageHost) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, server pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	opts, err := parseOptions(req.Info)
	if err != nil {
		return err
	}
	tc, err := toolchain.ResolveToolchain(opts)
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(server, req.IsTerminal)
	if err != nil {
		return err
	}
	defer closer.Close()
	err = tc.InstallDependencies(
		server.Context(), req.Info.ProgramDirectory, req.UseLanguageVersionTools, true, stdout, stderr)
	if err != nil {
		return err
	}
	return closer.Close()
}
