package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	maxSessions    = 1000
	maxOfUser      = 50
	sessionBytes   = 32
	sessionsFile   = "sessions"
	maxSessionFile = 1 << 20
	// idleShare of the longest time is how long a session may be unused.
	idleShare = 4
)

// session is somebody who has logged in. The token itself is known to the client only.
type session struct {
	User    string    `json:"user"`
	Plugin  string    `json:"plugin"`
	Proof   string    `json:"proof"` // of the credentials it was given for: keyed by the token, so that it says nothing of them
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`

	streams map[int]context.CancelFunc // that it has open
	serial  int
}

// sessions are all of them by the sum of their tokens.
type sessions struct {
	mu     sync.Mutex // guards all
	bySum  map[string]*session
	dirty  bool // since it was written
	folder *os.Root
}

// sumOf names a session. false where the text cannot be the token of one.
func sumOf(token string) (string, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != sessionBytes {
		return "", false
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), true
}

// keyed derives from a token what nobody can have without it.
func keyed(token, what string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(what))
	return hex.EncodeToString(mac.Sum(nil))
}

// csrfOf is what a page has to send along with its writes: a page of another site can make a browser send the cookie, but not read it.
func csrfOf(token string) string { return keyed(token, "csrf") }

func proofOf(token string, u user) string {
	secret := u.Password
	if u.Hash != nil {
		secret = u.Hash.String()
	}
	return keyed(token, "proof "+u.Name+"\x00"+secret)
}

// open makes a session and returns its token.
func (s *sessions) open(plugin string, u user, now time.Time) (string, error) {
	raw := make([]byte, sessionBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("session: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(raw)
	sum, _ := sumOf(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoomLocked(plugin, u.Name)
	s.bySum[sum] = &session{User: u.Name, Plugin: plugin, Proof: proofOf(token, u), Created: now, Seen: now}
	s.dirty = true
	return token, nil
}

// makeRoomLocked ends the session that was not used for longest: of a user who has many, else of all.
func (s *sessions) makeRoomLocked(plugin, name string) {
	var oldest, own string
	owned := 0
	for sum, x := range s.bySum {
		if o := s.bySum[oldest]; o == nil || x.Seen.Before(o.Seen) {
			oldest = sum
		}
		if x.User != name || x.Plugin != plugin {
			continue
		}
		owned++
		if o := s.bySum[own]; o == nil || x.Seen.Before(o.Seen) {
			own = sum
		}
	}
	switch {
	case owned >= maxOfUser:
		s.endLocked(own)
	case len(s.bySum) >= maxSessions:
		s.endLocked(oldest)
	}
}

// find returns the session of a token, if it is one of this plugin, for the credentials that are in force, and not over.
func (s *sessions) find(plugin, token string, set *Settings, now time.Time) (u user, expires time.Time, ok bool) {
	sum, valid := sumOf(token)
	if !valid {
		return u, expires, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.bySum[sum]
	if x == nil || x.Plugin != plugin {
		return u, expires, false
	}
	expires = x.Created.Add(set.age)
	u, known := set.users[x.User]
	if !known || !hmac.Equal([]byte(x.Proof), []byte(proofOf(token, u))) || !now.Before(expires) ||
		len(x.streams) == 0 && now.Sub(x.Seen) >= set.age/idleShare {
		s.endLocked(sum)
		return user{}, expires, false
	}
	if now.Sub(x.Seen) > time.Second {
		x.Seen, s.dirty = now, true
	}
	return u, expires, true
}

// attach has a stream end with its session. The caller calls what it gets when the stream is over.
func (s *sessions) attach(token string, cancel context.CancelFunc, now func() time.Time) (detach func()) {
	sum, _ := sumOf(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.bySum[sum]
	if x == nil {
		cancel()
		return func() {}
	}
	if x.streams == nil {
		x.streams = map[int]context.CancelFunc{}
	}
	x.serial++
	id := x.serial
	x.streams[id] = cancel
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(x.streams, id)
		x.Seen, s.dirty = now(), true
	}
}

// end ends the session of a token.
func (s *sessions) end(token string) {
	sum, _ := sumOf(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(sum)
}

func (s *sessions) endLocked(sum string) {
	x := s.bySum[sum]
	if x == nil {
		return
	}
	for _, cancel := range x.streams {
		cancel()
	}
	delete(s.bySum, sum)
	s.dirty = true
}

// load reads what was kept. What cannot be read is nothing: people log in again.
func (s *sessions) load(folder *os.Root, oldest time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folder = folder
	data, err := readFile(folder, sessionsFile, maxSessionFile)
	if err != nil || data == nil {
		return err
	}
	kept := map[string]*session{}
	if err := json.Unmarshal(data, &kept); err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	for sum, x := range kept {
		if x != nil && len(sum) == 2*sha256.Size && x.Created.After(oldest) && len(s.bySum) < maxSessions {
			s.bySum[sum] = x
		}
	}
	return nil
}

// save writes what has changed. Only one goroutine does.
func (s *sessions) save() error {
	s.mu.Lock()
	if !s.dirty || s.folder == nil {
		s.mu.Unlock()
		return nil
	}
	data, err := json.Marshal(s.bySum)
	s.dirty = false
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	return replaceFile(s.folder, sessionsFile, data)
}
