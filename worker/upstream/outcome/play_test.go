package outcome

import (
	"strconv"
	"testing"

	"pingap/arena"
)

// play does the steps of a test.
type play struct {
	t       *testing.T
	rules   *Rules
	records [2]*arena.Record
	now     int64
	held    [2][]Probe // that are out, by worker
}

func record1() *arena.Record { return arena.NewRecord() }

func (p *play) step(name, step string) {
	p.t.Helper()
	if n, err := strconv.Atoi(step); err == nil {
		p.now += int64(n) * second
		return
	}
	worker := int(step[0] - 'a')
	rec := p.records[worker]
	outcomes := map[byte]Outcome{'+': {Status: 200}, '-': {Status: 500}, '!': {Failed: true}, '~': {Cancelled: true},
		'>': {Status: 200}, 'x': {Failed: true}, '0': {}}
	switch kind := step[1]; kind {
	case '>', 'x', '0': // the one that has been out for longest
		probe := p.held[worker][0]
		p.held[worker] = p.held[worker][1:]
		p.rules.Done(rec, outcomes[kind], probe, p.now)
	default:
		admitted := p.rules.Admits(rec, p.now)
		probe, ok := p.rules.Enter(rec, p.now)
		if ok != admitted {
			p.t.Errorf("%s: let in %v, said %v", name, ok, admitted)
		}
		if ok == (kind == '#') {
			p.t.Fatalf("%s: let in %v", name, ok)
		}
		if kind == '<' {
			p.held[worker] = append(p.held[worker], probe)
		} else if kind != '#' {
			p.rules.Done(rec, outcomes[kind], probe, p.now)
		}
	}
}
