package main

import (
	"os/exec"
	"sync"
	"syscall"
)

// children are the running processes that this host started, so that none outlives it. The zero value is ready.
type children struct {
	mutex   sync.Mutex
	running map[*exec.Cmd]struct{}
}

// run starts the command, waits for its end and returns what (*exec.Cmd).Wait returns.
func (c *children) run(cmd *exec.Cmd) error {
	c.mutex.Lock()
	if err := cmd.Start(); err != nil {
		c.mutex.Unlock()
		return err
	}
	if c.running == nil {
		c.running = map[*exec.Cmd]struct{}{}
	}
	c.running[cmd] = struct{}{}
	c.mutex.Unlock()

	err := cmd.Wait()

	c.mutex.Lock()
	delete(c.running, cmd)
	c.mutex.Unlock()
	return err
}

// terminate asks every running child to end.
func (c *children) terminate() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for cmd := range c.running {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
}
