package main

// scenario is what may go wrong in a run, and how it is driven.
type scenario struct {
	name string
	// isLazy: nobody does background work, and everything is short.
	isLazy bool
	// faults is how many calls of a thousand fail at a fault point, lost how
	// many replies of a thousand do not arrive, and undone how many calls are
	// rolled back by who made them.
	faults, lost, undone int
	// kills is how many calls of a thousand come after the end of a session.
	kills int
	// restarts is how often at most the server goes down in a run.
	restarts int
}

var scenarios = []scenario{
	{name: "default", lost: 20},
	{name: "fault", faults: 250, lost: 80, undone: 30},
	{name: "lazy", isLazy: true, lost: 20},
	{name: "crash", faults: 60, lost: 40, kills: 15, restarts: 3},
}

func findScenario(name string) (scenario, bool) {
	for _, s := range scenarios {
		if s.name == name {
			return s, true
		}
	}
	return scenario{}, false
}
