package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// reportedExitCode is what pulumi-language-python-exec exits with after it has shown the error to the user itself.
const reportedExitCode = 32

// pluginGrace is how long a plugin may take to end after the engine let go of it, before it is killed.
const pluginGrace = 5 * time.Second

type languageHost struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	engineAddress string
	executor      string
	programs      children
	plugins       children
	cancelled     atomic.Bool
}

func (h *languageHost) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engineAddress = req.EngineAddress
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *languageHost) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: ""}, nil
}

// Cancel ends the running programs: the engine calls it when the user interrupts, and registers nothing more. Plugins
// go on, for they may be in the middle of an operation whose result the engine still records; it ends them itself.
func (h *languageHost) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancelled.Store(true)
	h.programs.terminate()
	return &emptypb.Empty{}, nil
}

func (h *languageHost) RuntimeOptionsPrompts(
	context.Context, *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

// Run runs a Pulumi program to its end and says how it ended.
func (h *languageHost) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if req.AttachDebugger {
		return nil, status.Error(codes.Unimplemented, "this language host cannot attach a debugger")
	}
	opts, err := parseOptions(req.Info)
	if err != nil {
		return nil, err
	}
	tc, err := usableToolchain(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := h.typeCheck(ctx, tc, opts); err != nil {
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
	config, err := configEnvironment(req)
	if err != nil {
		return nil, err
	}
	cmd, err := tc.Command(ctx, h.runArguments(req)...)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(environment(cmd), config...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // the engine reads both and shows them to the user
	err = h.programs.run(cmd)
	if err != nil && h.cancelled.Load() {
		return &pulumirpc.RunResponse{Bail: true}, nil // the engine says itself that the user interrupted
	}
	return runResponse(err), nil
}

func (h *languageHost) runArguments(req *pulumirpc.RunRequest) []string {
	args := []string{
		"-u", h.executor,
		"--monitor", req.MonitorAddress,
		"--engine", h.engineAddress,
		"--project", req.Project,
		"--stack", req.Stack,
		"--pwd", req.Pwd,
		"--dry_run", strconv.FormatBool(req.DryRun),
		"--parallel", strconv.Itoa(int(req.Parallel)),
		"--organization", req.Organization,
		"--root_directory", req.Info.RootDirectory,
		filepath.Join(req.Info.ProgramDirectory, req.Info.EntryPoint),
	}
	return append(args, req.Args...)
}

// configEnvironment carries the stack's configuration in the environment: arguments are readable by every user.
func configEnvironment(req *pulumirpc.RunRequest) ([]string, error) {
	var variables []string
	if len(req.Config) > 0 { // an empty map would arrive as null, which the SDK does not read
		values, err := json.Marshal(req.Config)
		if err != nil {
			return nil, fmt.Errorf("writing the stack's configuration for the program: %w", err)
		}
		variables = append(variables, "PULUMI_CONFIG="+string(values))
	}
	if len(req.ConfigSecretKeys) > 0 {
		keys, err := json.Marshal(req.ConfigSecretKeys)
		if err != nil {
			return nil, fmt.Errorf("writing the stack's secret keys for the program: %w", err)
		}
		variables = append(variables, "PULUMI_CONFIG_SECRET_KEYS="+string(keys))
	}
	return variables, nil
}

func runResponse(err error) *pulumirpc.RunResponse {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case !errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the Python program could not be started: %v", err)}
	case exit.ExitCode() == reportedExitCode:
		return &pulumirpc.RunResponse{Bail: true}
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the Python program ended with %v", exit.ProcessState)}
	}
}

// RunPlugin runs a provider, component or policy pack and streams its output until it ends.
func (h *languageHost) RunPlugin(
	req *pulumirpc.RunPluginRequest, server pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	if req.AttachDebugger {
		return status.Error(codes.Unimplemented, "this language host cannot attach a debugger")
	}
	opts, err := parseOptions(req.Info)
	if err != nil {
		return err
	}
	tc, err := usableToolchain(server.Context(), opts)
	if err != nil {
		return err
	}
	args, err := pluginArguments(req)
	if err != nil {
		return err
	}
	cmd, err := tc.Command(server.Context(), args...)
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(server, false)
	if err != nil {
		return err
	}
	defer closer.Close()

	cmd.Dir = req.Pwd
	if len(req.Env) > 0 {
		cmd.Env = req.Env
		if venv, _ := tc.VirtualEnvPath(server.Context()); venv != "" {
			cmd.Env = toolchain.ActivateVirtualEnv(req.Env, venv)
		}
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = pluginGrace

	err = h.plugins.run(cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return server.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(exit.ExitCode())},
		})
	}
	return err
}

// pluginArguments are Python's arguments: a policy pack runs under the SDK's policy runner, a folder that is a
// Python package as a module, any other folder by its __main__.py.
func pluginArguments(req *pulumirpc.RunPluginRequest) ([]string, error) {
	folder := req.Info.ProgramDirectory
	if req.Kind == "analyzer" {
		return append(append([]string{"-u", "-m", "pulumi.policy"}, req.Args...), folder), nil
	}
	buildable, err := toolchain.IsBuildablePackage(folder)
	if err != nil {
		return nil, err
	}
	if !buildable {
		return append([]string{"-u", folder}, req.Args...), nil
	}
	project, err := toolchain.LoadPyproject(folder)
	if err != nil {
		return nil, err
	}
	module := strings.ReplaceAll(project.Project.Name, "-", "_")
	return append([]string{"-u", "-m", module}, req.Args...), nil
}

// environment is the environment that the command would run with.
func environment(cmd *exec.Cmd) []string {
	if cmd.Env != nil {
		return cmd.Env
	}
	return os.Environ()
}
