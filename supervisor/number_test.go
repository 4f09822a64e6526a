package supervisor

import (
	"net"
	"testing"

	"pingap/ipc"
)

func TestNumbersBeginWhereControlSaysAndNeverGoBack(t *testing.T) {
	i := launch(t, nil)
	i.takeControl()
	base := ""
	for _, c := range []struct {
		sha          string
		lowest, want uint64
	}{{"one", 7, 7}, {"two", 0, 8}, {"three", 5, 9}, {"four", 20, 20}} {
		p := i.proposal(base, c.sha)
		p.Number = c.lowest
		if a := i.mustApply(p); a.Version != c.want {
			t.Errorf("%s asks for %d and is version %d, want %d", c.sha, c.lowest, a.Version, c.want)
		}
		base = c.sha
	}
}

func TestAStartGoesOnWhereControlHasAnotherProposal(t *testing.T) {
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	i := launch(t, nil)
	i.takeControl()
	for _, refuse := range []func(p *ipc.Propose){
		func(p *ipc.Propose) {
			p.Listeners[0].Address = busy.Addr().String()
			i.mustRefuse(p, ipc.CodeListen)
		},
		func(p *ipc.Propose) {
			i.behave("worker1.start", "nack")
			i.mustRefuse(p, ipc.CodeWorkerDied)
			i.behave("worker1.start", "")
		},
	} {
		p := i.proposal("", "held")
		p.Fallback = true
		refuse(p)
	}
	i.mustApply(i.proposal("", "source"))
	i.until("two workers", twoActive())
}
