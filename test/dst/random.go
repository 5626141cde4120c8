package main

// random is the one source of chance of a run: splitmix64, so that a seed means
// the same run wherever and with whatever library it is repeated.
type random struct{ state uint64 }

func newRandom(seed uint64) *random {
	r := &random{state: seed}
	r.next()
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below gives a number from zero to n - 1.
func (r *random) below(n int) int { return int(r.next() % uint64(n)) }

// upTo gives a number from low to high.
func (r *random) upTo(low, high int64) int64 {
	return low + int64(r.next()%uint64(high-low+1))
}

// chance is true in so many of a thousand cases.
func (r *random) chance(perMille int) bool { return r.below(1000) < perMille }

func pick[T any](r *random, values ...T) T { return values[r.below(len(values))] }

// weighted is one of several things with its weight among them.
type weighted[T any] struct {
	weight int
	thing  T
}

func draw[T any](r *random, choices []weighted[T]) T {
	sum := 0
	for _, choice := range choices {
		sum += choice.weight
	}
	at := r.below(sum)
	for _, choice := range choices {
		if at -= choice.weight; at < 0 {
			return choice.thing
		}
	}
	return choices[len(choices)-1].thing
}
