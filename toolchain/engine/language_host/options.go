package main

import (
	"context"
	"fmt"
	"os/exec"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// parseOptions reads `runtime.options` of Pulumi.yaml or PulumiPlugin.yaml.
func parseOptions(info *pulumirpc.ProgramInfo) (toolchain.PythonOptions, error) {
	opts := toolchain.PythonOptions{Root: info.RootDirectory, ProgramDir: info.ProgramDirectory}
	for key, value := range info.GetOptions().AsMap() {
		text, isText := value.(string)
		if !isText {
			return opts, fmt.Errorf("runtime option %s: %v is not a string", key, value)
		}
		switch key {
		case "virtualenv":
			opts.Virtualenv = text
		case "toolchain":
			switch text {
			case "pip":
				opts.Toolchain = toolchain.Pip
			case "poetry":
				opts.Toolchain = toolchain.Poetry
			case "uv":
				opts.Toolchain = toolchain.Uv
			case "auto":
				opts.Toolchain = toolchain.Auto
			default:
				return opts, fmt.Errorf("runtime option toolchain: %q is not one of auto, pip, poetry, uv", text)
			}
		case "typechecker":
			switch text {
			case "mypy":
				opts.Typechecker = toolchain.TypeCheckerMypy
			case "pyright":
				opts.Typechecker = toolchain.TypeCheckerPyright
			case "none":
				opts.Typechecker = toolchain.TypeCheckerNone
			default:
				return opts, fmt.Errorf("runtime option typechecker: %q is not one of mypy, pyright, none", text)
			}
		}
	}
	return opts, nil
}

// usableToolchain is the toolchain of the options, with its virtual environment known to be there.
func usableToolchain(ctx context.Context, opts toolchain.PythonOptions) (toolchain.Toolchain, error) {
	tc, err := toolchain.ResolveToolchain(opts)
	if err != nil {
		return nil, err
	}
	return tc, tc.ValidateVenv(ctx)
}

// typeCheck runs the type checker that the program asks for; its findings are the error's text.
func (h *languageHost) typeCheck(ctx context.Context, tc toolchain.Toolchain, opts toolchain.PythonOptions) error {
	var cmd *exec.Cmd
	var err error
	switch opts.Typechecker {
	case toolchain.TypeCheckerNone:
		return nil
	case toolchain.TypeCheckerMypy:
		cmd, err = tc.ModuleCommand(ctx, "mypy", opts.ProgramDir)
	case toolchain.TypeCheckerPyright:
		cmd, err = tc.ModuleCommand(ctx, "pyright", opts.ProgramDir)
	default:
		return fmt.Errorf("unknown type checker %v", opts.Typechecker)
	}
	if err != nil {
		return err
	}
	cmd.Dir = opts.ProgramDir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s typechecker failed (%w):\n%s", toolchain.TypeCheckerName(opts.Typechecker), err, output)
	}
	return nil
}
