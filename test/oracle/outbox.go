package oracle

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math"
	"sort"
)

// Delivery: what an address gets when it asks.

// candidate is something that an address may get now: since when, at the
// earliest and at the latest, and whether it surely is due.
type candidate struct {
	key           string
	since, latest int64
	isSure        bool
	isInOrder     bool // the longest waiting comes first, and is not only on the page
	isBeside      bool // some come beside the others, however long these have waited
	row           map[string]any
	take          func(s *State) // it was handed out
	leave         func(s *State) // it was not, though all that was due has been
}

// handOut decides which candidates the answer has; limit is how many it may have.
func (c *call) handOut(candidates []candidate, limit int64, keyOf func(row map[string]any) (string, string)) ([]outcome, error) {
	if c.response == nil {
		return c.handOutUnseen(candidates, limit)
	}
	if c.response.SQLState != "" {
		return one(c.before, 0, []any{}), nil
	}
	rows, ok := c.response.Body.([]any)
	if !ok || int64(len(rows)) > limit {
		return nil, fmt.Errorf("expected at most %d rows, got %s", limit, show(c.response.Body))
	}
	byKey := map[string]*candidate{}
	for i := range candidates {
		byKey[candidates[i].key] = &candidates[i]
	}
	d := c.before.draft()
	expected := []any{}
	var taken []*candidate
	for _, item := range rows {
		row, _ := item.(map[string]any)
		key, id := keyOf(row)
		if own := c.before.options.Partition; own != "" && graphOf(id) != own {
			expected = append(expected, check(func(any) string { return "" }))
			continue
		}
		picked := byKey[key]
		if picked == nil {
			return nil, fmt.Errorf("not due, or handed out twice: %s", show(item))
		}
		delete(byKey, key)
		taken, expected = append(taken, picked), append(expected, picked.row)
		picked.take(d)
	}
	isCut := int64(len(rows)) == limit
	if err := c.checkLeft(byKey, taken, d, isCut); err != nil {
		return nil, err
	}
	return one(d, 0, expected), nil
}

// checkLeft checks that what was not handed out did not have to be, and that the
// longest waiting came first.
func (c *call) checkLeft(left map[string]*candidate, taken []*candidate, d *State, isCut bool) error {
	if c.before.options.Concurrent {
		return nil
	}
	newest := int64(math.MinInt64)
	for _, t := range taken {
		if t.isInOrder && t.latest < newest {
			return fmt.Errorf("%s has waited longer than what came before it", t.key)
		}
		if !t.isBeside && t.since > newest {
			newest = t.since
		}
	}
	for _, l := range left {
		if l.isSure && (!isCut || !l.isBeside && l.latest < newest) {
			return fmt.Errorf("expected %s, which waits since %d", show(l.row), l.latest)
		}
		if !isCut {
			l.leave(d)
		}
	}
	return nil
}

// handOutUnseen is for an answer that was lost.
func (c *call) handOutUnseen(candidates []candidate, limit int64) ([]outcome, error) {
	states := []progress{{c.before, 0}}
	for _, one := range candidates {
		mustBe := one.isSure && int64(len(candidates)) <= limit && !c.before.options.Concurrent
		var next []progress
		for _, s := range states {
			if !mustBe || int64(s.count) >= limit {
				next = append(next, s)
			}
			if int64(s.count) < limit {
				d := s.state.draft()
				one.take(d)
				next = append(next, progress{d, s.count + 1})
			}
		}
		if states = next; len(states) > maxChoices {
			return nil, fmt.Errorf("too many rows are due: %w", ErrNotModelled)
		}
	}
	var result []outcome
	for _, s := range states {
		result = append(result, outcome{state: s.state})
	}
	return result, nil
}

// queueArguments are those of the two functions of the protocol.
func (a *arguments) queueArguments() (address string, limit int64) {
	address, ok := a.text("address")
	if !ok {
		a.fail("22004")
	} else if address == "" || len(address) > maxLength {
		a.fail("22023")
	}
	return address, a.limit(10_000, 100)
}

func (c *call) sqlDequeueExecute() ([]outcome, error) {
	a := c.arguments()
	address, limit := a.queueArguments()
	if a.isBad() {
		return c.raisedBy(a)
	}
	var candidates []candidate
	for _, id := range c.before.promiseIDs() {
		p := c.before.promises[id]
		t := p.view(c.Now).task
		if t == nil || t.state != pending {
			continue
		}
		target := p.tags["resonate:target"]
		isForOthers := t.others != 0 && t.others <= c.Now && groupOf(target) == address
		if target == address && t.clock <= c.Now {
			candidates = append(candidates, c.offer(p, t, isForOthers))
		} else if isForOthers {
			candidates = append(candidates, c.offerToOthers(p, t))
		}
	}
	return c.handOut(candidates, limit, func(row map[string]any) (string, string) {
		id, _ := row["task_id"].(string)
		return id, id
	})
}

func notBefore(at, least int64) int64 {
	if at < least {
		return least
	}
	return at
}

// offer is of a task whose clock is due, or may be; if others may have it in the
// same place, it may have been offered as to them.
func (c *call) offer(p *promise, t *task, isForOthers bool) candidate {
	o := c.before.options
	again := saturatingAdd(c.Now, o.RetryTimeout)
	earliest := again
	if isNotify(p.tags["resonate:target"]) && t.offers > 0 {
		earliest, again = o.growingWait(t.offers, c.Now)
	}
	isSure := t.clockMax <= c.Now
	take := func(s *State) {
		changed := *t
		changed.offers = t.offers + 1
		changed.clock, changed.clockMax = earliest, again
		if !isSure && isForOthers {
			changed.clockMax = notBefore(t.clockMax, again)
		}
		if target := p.tags["resonate:target"]; t.others != 0 && groupOf(target) == target {
			changed.others, changed.othersMax = notBefore(t.others, again), notBefore(t.othersMax, again)
		}
		s.putTask(p, &changed)
	}
	leave := func(s *State) {
		changed := *t
		changed.clock = c.Now + 1
		s.putTask(p, &changed)
	}
	return candidate{
		key: p.id, since: t.clock, latest: t.clockMax, isSure: isSure, isInOrder: true,
		row:  map[string]any{"task_id": p.id, "version": t.version},
		take: take, leave: leave,
	}
}

// offerToOthers is of a task that this process surely gets if nobody has given it
// back: else that may have been itself.
func (c *call) offerToOthers(p *promise, t *task) candidate {
	again := saturatingAdd(c.Now, c.before.options.RetryTimeout)
	take := func(s *State) {
		changed := *t
		changed.others, changed.othersMax = again, again
		switch {
		case t.clockMax <= c.Now:
			changed.clock, changed.clockMax = again, again
		case t.clock <= c.Now:
			changed.clock, changed.clockMax = c.Now+1, notBefore(t.clockMax, again)
		}
		s.putTask(p, &changed)
	}
	return candidate{
		key: p.id, since: t.others, latest: t.othersMax, isSure: t.setbacks == 0 && t.othersMax <= c.Now,
		isBeside: true,
		row:      map[string]any{"task_id": p.id, "version": t.version},
		take:     take, leave: func(*State) {},
	}
}

// mailbox is what waits for an address; only listeners' messages, if so wanted.
func (c *call) mailbox(address string, onlyListeners bool, row func(key messageKey, m *message) map[string]any,
	take func(s *State, key messageKey, m *message)) []candidate {
	var candidates []candidate
	for _, key := range c.before.messageKeys() {
		key, m := key, c.before.messages[key]
		if m.address != address || m.due > c.Now || onlyListeners && key.kind != "listener" {
			continue
		}
		candidates = append(candidates, candidate{
			key: fmt.Sprint(key), since: m.due, latest: m.due, isSure: true, row: row(key, m),
			take:  func(s *State) { take(s, key, m) },
			leave: func(*State) {},
		})
	}
	return candidates
}

func (c *call) sqlDequeueUnblock() ([]outcome, error) {
	a := c.arguments()
	address, limit := a.queueArguments()
	if a.isBad() {
		return c.raisedBy(a)
	}
	candidates := c.mailbox(address, true,
		func(key messageKey, m *message) map[string]any {
			return map[string]any{"promise": c.before.promises[key.promise].record(c.Now)}
		},
		func(s *State, key messageKey, m *message) {
			if m.attempt > 0 {
				s.deleteMessage(key)
				return
			}
			due := saturatingAdd(c.Now, s.options.VisibilityTimeout)
			s.putMessage(key, &message{address: address, due: due, attempt: 1})
		})
	return c.handOut(candidates, limit, func(row map[string]any) (string, string) {
		record, _ := row["promise"].(map[string]any)
		id, _ := record["id"].(string)
		return fmt.Sprint(messageKey{id, "listener", address}), id
	})
}

func (c *call) sqlReceive() ([]outcome, error) {
	a := c.arguments()
	address, ok := a.text("address")
	if !ok {
		a.fail("22004")
	} else if !isAddress(address) || isNotify(address) {
		a.fail("22023")
	}
	limit := a.limit(1000, 100)
	visible := saturatingAdd(c.Now, a.length("visibility", c.Now, c.before.options.VisibilityTimeout))
	if a.isBad() {
		return c.raisedBy(a)
	}
	candidates := c.mailbox(address, false,
		func(key messageKey, m *message) map[string]any { return c.messageRow(key, m, visible) },
		func(s *State, key messageKey, m *message) {
			s.putMessage(key, &message{address: address, due: visible, attempt: m.attempt + 1})
		})
	return c.handOut(candidates, limit, func(row map[string]any) (string, string) {
		var key messageKey
		key.promise, _ = row["promise_id"].(string)
		key.kind, _ = row["kind"].(string)
		key.id, _ = row["callback_id"].(string)
		return fmt.Sprint(key), key.promise
	})
}

func (c *call) messageRow(key messageKey, m *message, visible int64) map[string]any {
	p := c.before.promises[key.promise]
	return map[string]any{
		"kind": key.kind, "promise_id": key.promise, "callback_id": key.id, "address": m.address,
		"attempt": m.attempt + 1, "visible_at": shownInstant(visible), "state": p.state,
		"value": p.value.typedValue(), "value_headers": stringMap(p.value.headers),
		"value_data": p.value.typedData(), "settled_at": shownInstant(p.settledAt),
	}
}

func (c *call) sqlAcknowledge() ([]outcome, error) {
	a := c.arguments()
	key := messageKey{promise: a.id("promise_id"), kind: "callback"}
	if kind, ok := a.text("kind"); ok {
		key.kind = kind
	} else if value, isGiven := a.values["kind"]; isGiven && value == nil {
		a.fail("22004")
	}
	max := 255
	if key.kind == "listener" {
		max = maxLength
	} else if key.kind != "callback" {
		a.fail("22023")
	}
	key.id = a.name("callback_id", max)
	if a.isBad() {
		return c.raisedBy(a)
	}
	m := c.before.messages[key]
	if m == nil || m.address[0] == 'n' {
		return one(c.before, 0, scalar("acknowledge", 4040)), nil
	}
	d := c.before.draft()
	d.deleteMessage(key)
	return one(d, 0, scalar("acknowledge", 2000)), nil
}

func (c *call) sqlOutboxChannel() ([]outcome, error) {
	a := c.arguments()
	address, ok := a.text("address")
	if !ok {
		a.fail("22004")
	} else if address == "" || len(address) > maxLength {
		a.fail("22023")
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	sum := md5.Sum([]byte(address))
	return one(c.before, 0, scalar("outbox_channel", "resonate_q_"+hex.EncodeToString(sum[:]))), nil
}

// lapseInternal stores the deadlines that have passed by an instant of promises
// whose deadline is not armed.
func (s *State) lapseInternal(by, now int64) *State {
	d := s.draft()
	for id, p := range s.promises {
		if !p.external && p.timeoutAt <= by && p.isLapsed(now) {
			d.lapse(d.promises[id], now)
		}
	}
	return d
}

// prunable are the promises that nobody needs any more.
func (s *State) prunable(settledBefore, now int64) []string {
	isNeeded := map[string]bool{}
	for key, m := range s.messages {
		if isNotify(m.address) {
			isNeeded[key.promise] = true
		}
	}
	var ids []string
	for id, p := range s.promises {
		origin := s.promises[p.tags["resonate:origin"]]
		if origin != nil && !origin.external {
			origin = origin.view(settledBefore)
		}
		if p.state == pending || p.settledAt > settledBefore || isNeeded[id] ||
			origin != nil && origin != p && origin.state == pending {
			continue
		}
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// prune deletes a promise, its messages, and what its task has waited for.
func (s *State) prune(id string) {
	for key := range s.messages {
		if key.promise == id {
			s.deleteMessage(key)
		}
	}
	for _, awaited := range s.promises {
		at := sort.SearchStrings(awaited.awaiters, id)
		if at == len(awaited.awaiters) || awaited.awaiters[at] != id {
			continue
		}
		changed := *awaited
		changed.awaiters = append(append([]string(nil), awaited.awaiters[:at]...), awaited.awaiters[at+1:]...)
		s.put(&changed)
	}
	s.deletePromise(id)
}

func (c *call) sqlPrune() ([]outcome, error) {
	a := c.arguments()
	limit := int64(1000)
	if _, ok := a.values["limit"]; ok {
		limit = a.integer("limit", 1, 100_000)
	}
	settledBefore := int64(0)
	if a.values["settled_before"] == nil {
		a.fail("22004")
	} else {
		settledBefore = a.instant("settled_before")
	}
	if a.isBad() {
		return c.raisedBy(a)
	}
	branches, err := c.each([]progress{{c.before.lapseInternal(settledBefore, c.Now), 0}},
		func(s *State) []string { return s.prunable(settledBefore, c.Now) },
		func(s *State, id string) { s.prune(id) })
	if err != nil {
		return nil, err
	}
	var result []outcome
	for _, b := range branches {
		if int64(b.count) > limit {
			return nil, fmt.Errorf("more than the limit can be pruned: %w", ErrNotModelled)
		}
		result = append(result, outcome{state: b.state, body: c.countOf("prune", int64(b.count))})
	}
	return result, nil
}
