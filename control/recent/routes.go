package recent

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"pingap/control/admin/api"
)

// maxStreams are sent at once.
const maxStreams = 16

// Routes are the paths of the API.
func (s *Sampler) Routes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: "/live", Need: api.Reader, Serve: s.serveLive},
		{Method: http.MethodGet, Path: "/live/stream", Need: api.Reader, Stream: true, Serve: s.serveStream},
		{Method: http.MethodGet, Path: "/live/history", Need: api.Reader, Serve: s.serveHistory},
	}
}

func (s *Sampler) serveLive(w http.ResponseWriter, r *http.Request) error {
	samples, err := window(r.URL.Query().Get("window"))
	if err != nil {
		return err
	}
	s.look()
	if h := s.heard.Load(); h == nil || time.Since(h.at) > 2*period { // nobody has looked for a while
		s.ask(r.Context())
	}
	return api.WriteJSON(w, s.Live(samples))
}

// window is a number of samples.
func window(text string) (int, error) {
	if text == "" {
		return 1, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < period || d > windowLength*period {
		return 0, api.Errorf(http.StatusBadRequest, "window: %.32q is no time from 1s to 10s", text)
	}
	return int(d / period), nil
}

func (s *Sampler) serveHistory(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	series, err := parseSeries(orElse(q.Get("series"), "rps,errors,p50,p90,p99,connections,cpu,memory"))
	if err != nil {
		return api.Errorf(http.StatusBadRequest, "%s", err.Error())
	}
	minutes, err := strconv.Atoi(orElse(q.Get("minutes"), "60"))
	if err != nil || minutes < 1 || minutes > int(longest/time.Minute) {
		return api.Errorf(http.StatusBadRequest, "minutes: %.32q is no number from 1 to 60", q.Get("minutes"))
	}
	of := orElse(q.Get("of"), "total")
	h, found := s.History(of, series, time.Duration(minutes)*time.Minute)
	if !found {
		return api.Errorf(http.StatusNotFound, "there is no %.128q: expected total, location:NAME, upstream:NAME or process:SLOT", of)
	}
	return api.WriteJSON(w, h)
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// serveStream sends a Live each second. Who is too slow misses some.
func (s *Sampler) serveStream(w http.ResponseWriter, r *http.Request) error {
	lives, ok := s.join()
	if !ok {
		return &api.Error{Status: http.StatusServiceUnavailable, Message: "as many streams are sent as can be", Retry: 5}
	}
	defer s.leave(lives)
	e, err := api.StartEvents(w)
	if err != nil {
		return nil // it has hung up
	}
	for {
		select {
		case <-r.Context().Done():
			return nil
		case text := <-lives:
			if e.Send("live", text) != nil {
				return nil
			}
		}
	}
}

func (s *Sampler) join() (chan []byte, bool) {
	s.look()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) >= maxStreams {
		return nil, false
	}
	c := make(chan []byte, 1)
	s.streams[c] = struct{}{}
	return c, true
}

func (s *Sampler) leave(c chan []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, c)
}

// broadcast makes one text for all streams.
func (s *Sampler) broadcast() {
	s.mu.Lock()
	none := len(s.streams) == 0
	s.mu.Unlock()
	if none {
		return
	}
	s.look()
	text, err := json.Marshal(s.Live(1))
	if err != nil {
		return // a Live can always be written
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.streams {
		select {
		case c <- text:
		default:
		}
	}
}
