// Linearizability runs concurrent histories against the extension and has
// Porcupine check them against the oracle.
//
//	linearizability [-seed n] [-histories n] [-ops n] [-sessions n] [-out dir]
//	linearizability -check file [-out dir]
//
// The server is the one that the environment names (PGHOST and so on); it must
// be one for tests, which has nothing else to do.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"
)

// How long the check of one history may take; more is a failure.
const checkLimit = 600 * time.Second

type options struct {
	seed      int64
	histories int
	out       string
	file      string
	settings
}

func main() {
	var o options
	flag.Int64Var(&o.seed, "seed", 1, "seed of the first history")
	flag.IntVar(&o.histories, "histories", 50, "how many histories")
	flag.IntVar(&o.ops, "ops", 400, "operations in a history")
	flag.IntVar(&o.sessions, "sessions", 8, "concurrent sessions")
	flag.IntVar(&o.phases, "phases", 10, "times that the clock stands in a history")
	flag.StringVar(&o.out, "out", ".", "directory for what is kept of failures")
	flag.StringVar(&o.file, "check", "", "check a history that was kept")
	flag.Parse()

	var err error
	if o.file != "" {
		err = checkFile(&o)
	} else {
		err = checkMany(&o)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "linearizability: %v\n", err)
		os.Exit(1)
	}
}

// checkFile checks a history that was kept.
func checkFile(o *options) error {
	h, err := loadHistory(o.file)
	if err != nil {
		return err
	}
	s := newStats()
	s.add(h)
	s.print(os.Stdout)
	return judge(o, h, s)
}

// checkMany records histories and checks each.
func checkMany(o *options) error {
	server, err := openServer("")
	if err != nil {
		return err
	}
	s := newStats()
	leases := "SELECT coalesce(leases_ended, 0) FROM resonate.stats"
	before, err := server.number(leases)
	if err != nil {
		return err
	}
	for i := 0; i < o.histories; i++ {
		seed := o.seed + int64(i)
		started := time.Now()
		h, err := record(server, seed, o.settings)
		s.recording += time.Since(started)
		if err != nil {
			return failure(o, h, seed, err)
		}
		s.add(h)
		if err := judge(o, h, s); err != nil {
			return err
		}
		if (i+1)%50 == 0 {
			fmt.Printf("%d histories are linearizable\n", i+1)
		}
	}
	after, err := server.number(leases)
	if err != nil {
		return err
	}
	s.expiredLeases = after - before
	s.print(os.Stdout)
	fmt.Printf("%d histories from seed %d on: all linearizable\n",
		o.histories, o.seed)
	return nil
}

// judge checks one history.
func judge(o *options, h *History, s *stats) error {
	if err := checkSound(h); err != nil {
		return failure(o, h, h.Seed, err)
	}
	started := time.Now()
	result, graphs := check(h, checkLimit)
	took := time.Since(started)
	s.checking += took
	if took > s.slowestCheck {
		s.slowestCheck = took
	}
	switch result {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return failure(o, h, h.Seed, fmt.Errorf("the check of %v has not ended within %v",
			graphs, checkLimit))
	}
	report, err := explain(h, graphs[0], checkLimit, o.path(h.Seed, "html"))
	if err != nil {
		report += err.Error() + "\n"
	}
	return failure(o, h, h.Seed, fmt.Errorf("not linearizable: %v\n%s", graphs, report))
}

func (o *options) path(seed int64, suffix string) string {
	return filepath.Join(o.out, fmt.Sprintf("history-%d.%s", seed, suffix))
}

// failure keeps the history and says how to see it again.  Sessions that run
// freely never do quite the same twice, so only the check of what was kept is
// sure to fail again.
func failure(o *options, h *History, seed int64, cause error) error {
	kept := "nothing was recorded"
	if h != nil {
		path := o.path(seed, "json")
		if err := h.save(path); err != nil {
			return fmt.Errorf("%v; and the history cannot be kept: %w", cause, err)
		}
		if dir := os.Getenv("RSN_OUTDIR"); dir != "" {
			path = filepath.Join(dir, filepath.Base(path))
		}
		kept = "test/linearizability/run.sh -check " + path
	}
	return fmt.Errorf("seed %d: %w\n"+
		"check this history:  %s\n"+
		"run others like it:  make linearizability SEED=%d HISTORIES=20 OPS=%d SESSIONS=%d",
		seed, cause, kept, seed, o.ops, o.sessions)
}
