// Command pulumi-language-python lets the Pulumi engine run Python programs and plugins.
//
// It stands in for Pulumi's own host of the same name where the engine had to be built from Go modules: the module
// of the genuine host is not served there. Everything about virtual environments, pip, uv and poetry comes from the
// genuine host's library (sdk/v3/python/toolchain), and the Python side is the genuine pulumi-language-python-exec.
// What it cannot do (code generation, debuggers, linking) it refuses by name.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// orphanPoll is how often the host looks whether the engine that started it still lives. The engine gives no sign
// when it is killed, and a program left behind would go on creating resources that no state knows.
const orphanPoll = time.Second

func main() {
	// The engine may pass --logtostderr and -v (defined by its logging library); the address comes last.
	flag.String("tracing", "", "accepted and unused: this host emits no traces")
	flag.Parse()
	if flag.NArg() == 0 {
		fail(errors.New("the engine's address is missing; this program is started by pulumi, not by hand"))
	}
	executor, err := findExecutor()
	if err != nil {
		fail(err)
	}

	// An interrupt reaches the whole terminal group; the engine then ends the run in order, so only stop accepting.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cancel := make(chan bool)
	go func() {
		<-ctx.Done()
		close(cancel)
	}()

	host := &languageHost{engineAddress: flag.Arg(flag.NArg() - 1), executor: executor}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, host)
			return nil
		},
	})
	if err != nil {
		fail(err)
	}
	fmt.Printf("%d\n", handle.Port) // the engine waits for this line
	go exitWhenOrphaned(host, os.Getppid())
	if err := <-handle.Done; err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pulumi-language-python:", err)
	os.Exit(1)
}

// findExecutor returns the path of pulumi-language-python-exec, which lies beside this program.
func findExecutor() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program's own folder: %w", err)
	}
	path := filepath.Join(filepath.Dir(self), "pulumi-language-python-exec")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the engine's install is not whole (%w): run `make setup`", err)
	}
	return path, nil
}

// exitWhenOrphaned ends the host and what it started when the process that started it is gone.
func exitWhenOrphaned(host *languageHost, parent int) {
	for os.Getppid() == parent {
		time.Sleep(orphanPoll)
	}
	host.programs.terminate()
	host.plugins.terminate()
	os.Exit(1)
}
