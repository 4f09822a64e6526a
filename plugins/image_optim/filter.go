package imageoptim

import (
	"context"
	"errors"

	"pingap/message"
	"pingap/plugins"
)

// learners bounds the pictures of an instance that are read along or made at a time; others pass, to be learned later.
const learners = 8

// learn returns a filter that reads a picture along; nil where it is too long, or too many are under way.
func (o *imageOptim) learn(e *plugins.Exchange, k key, from, to string) plugins.Filter {
	length := e.Response.BodyLength
	if length > o.maxSize || e.Request.MethodID == message.HEAD || o.ctx.Err() != nil || !o.results.begin(k) {
		return nil
	}
	quality := 100
	if to == "jpeg" {
		quality = o.jpegQuality
	}
	return &learning{owner: o, key: k, length: length, picture: plugins.Picture{From: from, To: to, Quality: quality}}
}

// learning passes a picture and keeps it, to have it made anew.
type learning struct {
	owner   *imageOptim
	key     key
	length  int64
	picture plugins.Picture
}

// Filter passes piece.
func (l *learning) Filter(dst, piece []byte, _ bool) ([]byte, error) {
	if int64(len(l.picture.Data)+len(piece)) <= l.length {
		if l.picture.Data == nil {
			l.picture.Data = make([]byte, 0, l.length)
		}
		l.picture.Data = append(l.picture.Data, piece...)
	}
	return append(dst, piece...), nil
}

// End has the picture made anew if it came whole. Nobody waits for that.
func (l *learning) End(complete bool) {
	o := l.owner
	if !complete || int64(len(l.picture.Data)) != l.length || o.ctx.Err() != nil {
		o.results.giveUp(l.key)
		return
	}
	o.wg.Go(func() { // ends within makeTime, or with Close
		ctx, cancel := context.WithTimeout(o.ctx, makeTime)
		defer cancel()
		data, err := o.images(ctx, l.picture)
		switch {
		case ctx.Err() != nil, err != nil && errors.Is(err, plugins.ErrUnavailable):
			o.results.giveUp(l.key) // to be tried again
		case err != nil || len(data) == 0 || len(data) >= len(l.picture.Data):
			o.results.put(l.key, nil)
		default:
			o.results.put(l.key, data)
		}
	})
}

// replacing sends another body.
type replacing struct {
	data   []byte
	silent bool // there is no body: the request is HEAD
	sent   bool
}

// Filter sends the body in the place of the first piece.
func (r *replacing) Filter(dst, _ []byte, _ bool) ([]byte, error) {
	if r.sent || r.silent {
		return dst, nil
	}
	r.sent = true
	return append(dst, r.data...), nil
}
