package health

import (
	"context"
	"errors"
	"io"
	"time"
)

// ask makes an https check.
func (e *exchange) ask(ctx context.Context) (outcome, fate) {
	if e.session == nil {
		conn, o := e.connect(ctx)
		if conn == nil {
			return o, silent
		}
		e.session = &session{conn: conn}
	}
	conn := e.session.conn
	if err := conn.SetDeadline(time.Now().Add(e.check.ReadTimeout)); err != nil {
		return outcomeOf(err), silent
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(appendRequest(nil, e.check, e.agent)); err != nil {
		return e.failure(err), silent
	}
	data := make([]byte, 0, 4<<10)
	for {
		if len(data) == cap(data) {
			data = append(data, make([]byte, 4<<10)...)[:len(data)]
		}
		n, err := conn.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err != nil && !errors.Is(err, io.EOF) || err != nil && len(data) == 0 {
			if len(data) == 0 {
				return e.failure(err), silent
			}
			return e.failure(err), spent
		}
		switch a := readAnswer(data, err != nil); {
		case a.keep:
			return a.outcome, usable
		case a.whole:
			return a.outcome, spent
		}
	}
}

// failure is the outcome of an error after connecting.
func (e *exchange) failure(err error) outcome {
	if isTimeout(err) {
		return late("answer", e.check.ReadTimeout)
	}
	return outcomeOf(err)
}
