package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"pingap/control/acme"
	"pingap/control/source/etcd"
)

const (
	defaultTTL  = 15 * time.Second
	longestWait = 5 * time.Second // between two sessions
	// settleTime is how long a node that could not reach the others asks no CA when it can again: they may come a little later, and
	// would not have the answer.
	settleTime   = longestWait + 5*time.Second
	firstWait    = 200 * time.Millisecond
	maxName      = 100 // bytes of a node's name that are shown
	maxKeys      = 20_000
	maxBytes     = 128 << 20
	answersAgain = time.Second // before answers are told again that a worker did not take
)

// Options of New.
type Options struct {
	// Target is where the configuration is; its ACMESecret must be set.
	Target etcd.Target
	// Name is how other nodes call this one, such as its host name.
	Name string
	// Publisher brings answers to challenges, which another node has, to the workers of this one.
	Publisher acme.Publisher
	// Log is the component's logger; nil logs nothing.
	Log *zap.Logger
	// TTL is how long the lock outlives its holder; 0 is 15 seconds. etcd makes it whole seconds, 2 at least.
	TTL time.Duration
}

// Node is one of those that have a state in common. Its methods are safe for concurrent use; Run is called by one at a time.
type Node struct {
	opt    Options
	target etcd.Target // of the state
	seal   sealer
	id     string

	mu     sync.Mutex // guards what follows
	state  State
	answer map[string]acme.Item // of other nodes, that the workers have, by key
	lost   time.Time            // when a session failed last; zero for never
}

// State is how it is with the lock.
type State struct {
	Holder  string    // name of the node; empty where none is known
	Leading bool      // it is this one
	Err     error     // why this node takes no part now
	Since   time.Time // of Err; zero without
}

// New makes a node without reaching out.
func New(opt Options) (*Node, error) {
	if opt.Target.ACMESecret == "" || opt.Publisher == nil {
		return nil, errors.New("fleet: no secret, or no publisher")
	}
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	if opt.TTL == 0 {
		opt.TTL = defaultTTL
	}
	seal, err := newSealer(string(opt.Target.ACMESecret), opt.Target.Path)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 8)
	rand.Read(id) // never fails
	opt.Name = printable(opt.Name)
	return &Node{opt: opt, target: opt.Target.ACMEState(), seal: seal, id: hex.EncodeToString(id), answer: map[string]acme.Item{}}, nil
}

// State is how it is now.
func (n *Node) State() State {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

// joinTime is how long others wait for a node that has said that it comes.
const joinTime = 30 * time.Second

// Join has those that hold the lock wait for this node from now on, then reads what is there: no answer can be told that it does not get
// one way or the other.
func (n *Node) Join(ctx context.Context) (map[string][]byte, []acme.Item, error) {
	files, items, err := n.join(ctx)
	if err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.lost = time.Now()
	}
	return files, items, err
}

func (n *Node) join(ctx context.Context) (map[string][]byte, []acme.Item, error) {
	client, err := etcd.Dial(ctx, n.target)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	lease, err := client.Grant(ctx, joinTime)
	if err != nil {
		return nil, nil, err
	}
	value, err := json.Marshal(member{Name: n.opt.Name})
	if err != nil {
		return nil, nil, err
	}
	if err := client.PutLeased(ctx, n.target.Prefix()+nodesKey+n.id, value, lease); err != nil {
		return nil, nil, err
	}
	entries, err := n.readAll(ctx, client)
	if err != nil {
		return nil, nil, err
	}
	var items []acme.Item
	for _, e := range entries {
		if !strings.HasPrefix(n.short(e.Key), challengesKey) {
			continue
		}
		if item, err := n.openAnswer(e); err == nil { // the session says what is wrong with it
			items = append(items, item)
			n.keep(e.Key, item)
		}
	}
	return n.filesOf(entries), items, nil
}

// keep remembers an answer that the workers have, to be withdrawn.
func (n *Node) keep(key string, item acme.Item) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer[key] = item
}

// Read returns all files that all nodes have.
func (n *Node) Read(ctx context.Context) (map[string][]byte, error) {
	client, err := etcd.Dial(ctx, n.target)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	entries, err := n.readAll(ctx, client)
	return n.filesOf(entries), err
}

// readAll reads everything, if it was sealed with this secret.
func (n *Node) readAll(ctx context.Context, client *etcd.Client) ([]etcd.Entry, error) {
	entries, _, err := client.Read(ctx, etcd.Limits{Keys: maxKeys, Bytes: maxBytes})
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if key := n.short(e.Key); key == checkKey {
			if _, err := n.seal.open(key, e.Value); err != nil {
				return nil, fmt.Errorf("%s: %w", n.target, err) // rather than once for each
			}
		}
	}
	return entries, nil
}

func (n *Node) filesOf(entries []etcd.Entry) map[string][]byte {
	all := map[string][]byte{}
	for _, e := range entries {
		n.openFile(e, all)
	}
	return all
}

// openFile adds what is in a key to files, if it is one. One that cannot be opened is left out: it is written anew, or its loss is no
// worse than that of the disk of a node.
func (n *Node) openFile(e etcd.Entry, all map[string][]byte) {
	key := n.short(e.Key)
	name, ok := strings.CutPrefix(key, filesKey)
	if !ok {
		return
	}
	plain, err := n.seal.open(key, e.Value)
	if err != nil {
		n.opt.Log.Error("what all nodes have in common cannot be read", zap.String("key", printable(key)), zap.Error(err))
		return
	}
	all[name] = plain
}

// short is a key without the path.
func (n *Node) short(key string) string { return strings.TrimPrefix(key, n.target.Prefix()) }

// Run takes part until ctx ends.
func (n *Node) Run(ctx context.Context, m acme.Member) {
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := n.session(ctx, m)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestWait {
			wait = firstWait
		}
		n.failed(err)
		sleep(ctx, wait/2+mathrand.N(wait/2))
		wait = min(2*wait, longestWait)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// unsettled is how long nothing is to be asked of a CA.
func (n *Node) unsettled() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lost.IsZero() {
		return 0
	}
	return settleTime - time.Since(n.lost)
}

// failed notes why a session ended, and says it once.
func (n *Node) failed(err error) {
	n.mu.Lock()
	n.lost = time.Now()
	known := n.state.Err != nil && err != nil && n.state.Err.Error() == err.Error()
	since := n.state.Since
	if n.state.Err == nil {
		since = time.Now()
	}
	n.state = State{Err: err, Since: since}
	n.mu.Unlock()
	if !known {
		n.opt.Log.Warn("this node takes no part in getting certificates until it can reach the others", zap.Error(err))
	}
}

// joined notes that a session goes well, and who holds the lock.
func (n *Node) joined(holder string, leading bool) {
	n.mu.Lock()
	before := n.state
	n.state = State{Holder: holder, Leading: leading}
	n.mu.Unlock()
	if before != n.state || before.Err != nil {
		n.opt.Log.Info("certificates are got by one node for all", zap.String("holder", holder), zap.Bool("leading", leading))
	}
}

// printable makes a text of others fit for a terminal.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), maxName)]
}
