// Command dst drives the extension through real sessions with a virtual clock,
// everything being decided by one seed, and compares every answer and
// everything that is stored with a model.  The same seed gives the same log to
// the byte.  test/dst/run.sh starts it.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"resonate/test/oracle"
)

// options are those of the command line.
type options struct {
	seed, seeds uint64
	ticks       int
	scenario    scenario
	verify      bool
	hasNoModel  bool
	keepLogs    bool
	out         string
	targets     []*target
}

func parseOptions() (options, error) {
	var o options
	name := flag.String("scenario", "default", "default, fault, lazy or crash")
	flag.Uint64Var(&o.seed, "seed", 1, "the first seed")
	flag.Uint64Var(&o.seeds, "seeds", 1, "how many seeds")
	flag.IntVar(&o.ticks, "ticks", 1000, "how many actions in each run")
	flag.BoolVar(&o.verify, "verify-determinism", false, "run each seed twice and compare the logs")
	flag.BoolVar(&o.hasNoModel, "no-model", false, "check only what is stored, not the answers")
	flag.BoolVar(&o.keepLogs, "keep-logs", false, "keep the log of every run")
	flag.StringVar(&o.out, "out", ".", "where logs go")
	flag.Parse()
	var ok bool
	if o.scenario, ok = findScenario(*name); !ok {
		return o, fmt.Errorf("there is no scenario %q", *name)
	}
	for _, text := range flag.Args() {
		t, err := parseTarget(text)
		if err != nil {
			return o, err
		}
		o.targets = append(o.targets, t)
	}
	if len(o.targets) == 0 {
		return o, fmt.Errorf("there is no server: port=directory")
	}
	return o, nil
}

func main() {
	o, err := parseOptions()
	if err == nil {
		err = o.runAll()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// campaign is what the jobs share.
type campaign struct {
	options
	mu       sync.Mutex
	next     uint64
	done     int
	cut      int // of those, how many ended where the model has no answer
	ticks    int
	coverage *coverage
	failure  error
}

// runAll runs all seeds, one job for each server, until one fails.
func (o options) runAll() error {
	c := &campaign{options: o, next: o.seed, coverage: newCoverage()}
	var jobs sync.WaitGroup
	began := time.Now()
	for _, t := range o.targets {
		jobs.Add(1)
		go func(t *target) {
			defer jobs.Done()
			c.work(t)
		}(t)
	}
	jobs.Wait()
	seconds := time.Since(began).Seconds()
	fmt.Print(c.coverage.report())
	if c.cut > 0 {
		fmt.Printf("%d of the runs ended early, where the model has no answer\n", c.cut)
	}
	fmt.Printf("scenario %s: %d seeds, %d ticks, %.1f s, %.0f ticks per second, %.2f seeds per second\n",
		o.scenario.name, c.done, c.ticks, seconds, float64(c.ticks)/seconds, float64(c.done)/seconds)
	return c.failure
}

func (c *campaign) take() (uint64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil || c.next >= c.seed+c.seeds {
		return 0, false
	}
	c.next++
	return c.next - 1, true
}

func (c *campaign) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = err
	}
}

func (c *campaign) work(t *target) {
	if err := t.prepare(); err != nil {
		c.fail(err)
		return
	}
	for seed, ok := c.take(); ok; seed, ok = c.take() {
		d, err := c.runSeed(t, seed)
		isCut := errors.Is(err, oracle.ErrNotModelled)
		if isCut {
			err = nil
		} else if err == nil && c.verify {
			err = c.repeat(t, d)
		}
		if err != nil {
			c.fail(err)
			return
		}
		c.mu.Lock()
		c.done++
		if isCut {
			c.cut++
		}
		c.ticks += d.tick
		c.coverage.add(d.coverage)
		c.mu.Unlock()
	}
}

// runSeed makes one run; the error says all that is to be known about it.
func (c *campaign) runSeed(t *target, seed uint64) (*driver, error) {
	d := &driver{
		random: newRandom(seed), seed: seed, scenario: c.scenario, hasNoModel: c.hasNoModel, target: t,
		coverage: newCoverage(),
	}
	err := d.run(c.options.ticks)
	d.coverage.virtual = d.now - start
	if errors.Is(err, oracle.ErrNotModelled) {
		return d, err
	}
	if err != nil {
		return d, c.explain(d, err)
	}
	if c.keepLogs {
		_, err = c.keep(d, "")
	}
	return d, err
}

func (c *campaign) keep(d *driver, suffix string) (string, error) {
	name := fmt.Sprintf("dst-%s-%d%s.log", c.scenario.name, d.seed, suffix)
	return name, os.WriteFile(filepath.Join(c.out, name), d.log.Bytes(), 0o666)
}

// explain adds to an error what is needed to look into it.
func (c *campaign) explain(d *driver, fault error) error {
	fmt.Fprintf(&d.log, "FAILED: %v\n", fault)
	for _, state := range d.states {
		fmt.Fprintf(&d.log, "model:\n%s", state)
		break
	}
	lines := strings.Split(strings.TrimSpace(strings.SplitN(d.log.String(), "\nFAILED: ", 2)[0]), "\n")
	if len(lines) > 20 {
		lines = lines[len(lines)-20:]
	}
	name, err := c.keep(d, "")
	if err != nil {
		return err
	}
	return fmt.Errorf("%s\n\nseed %d fails at tick %d of scenario %s, at %+d ms:\n%w\n\nlog: %s\nto repeat: %s",
		strings.Join(lines, "\n"), d.seed, d.tick, c.scenario.name, d.now-start, fault, name, c.command(d))
}

func (c *campaign) command(d *driver) string {
	return fmt.Sprintf("make dst SEED=%d TICKS=%d SCENARIO=%s", d.seed, c.options.ticks, c.scenario.name)
}

// repeat makes the same run again, which must have the same log.
func (c *campaign) repeat(t *target, first *driver) error {
	second, err := c.runSeed(t, first.seed)
	if err != nil {
		return err
	}
	if bytes.Equal(first.log.Bytes(), second.log.Bytes()) {
		return nil
	}
	for suffix, d := range map[string]*driver{".first": first, ".second": second} {
		if _, err := c.keep(d, suffix); err != nil {
			return err
		}
	}
	return fmt.Errorf("seed %d is not deterministic: %s\nto repeat: %s VERIFY=1", first.seed,
		firstDifference(first.log.String(), second.log.String()), c.command(first))
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d:\n%s\n%s", i+1, x[i], y[i])
		}
	}
	return "one log is longer"
}
