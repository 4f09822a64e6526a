package message

import (
	"slices"
	"testing"
	"time"
)

// filled is a record of a request in memory that can be overwritten.
func filled() (r *Record, mem []byte) {
	mem = []byte("GET/old/pathhost.testX-Namevalue192.0.2.7captured")
	r = &Record{}
	r.Reset()
	r.Request.SetMethod(mem[:3])
	r.Request.SetTarget(mem[3:12])
	r.Request.Host = mem[12:21]
	r.Request.Fields.Append(Unknown, mem[21:27], mem[27:32])
	r.ClientIPText = mem[32:41]
	r.Captures = append(r.Captures, Capture{"c", mem[41:]})
	r.RequestID = append(r.RequestID, "id"...)
	r.Request.RewritePath([]byte("/new//path"))
	r.Response.Status = 200
	r.Response.Fields.Set("X-Up", []byte("yes"))
	return r, mem
}

// says is what a record holds, as text.
func says(r *Record) string {
	value, _ := r.Request.Fields.Lookup("x-name")
	capture, _ := r.Capture("c")
	up, _ := r.Response.Fields.Lookup("x-up")
	return string(slices.Concat(r.Request.Method, r.Request.Target, r.Request.Path, r.Request.NormalPath(), r.Request.Host, value, capture, r.ClientIPText, r.RequestID, up))
}

const saysAll = "GET/new//path/new//path/new/pathhost.testvaluecaptured192.0.2.7id"

func TestChangesOfACopyLeaveTheRecordAsItIs(t *testing.T) {
	r, _ := filled()
	var c Record
	for range 3 {
		c.CopyFrom(r)
		if got := says(&c); got != saysAll+"yes" {
			t.Fatalf("copy: %s", got)
		}
		c.Request.Fields.Set("X-Name", []byte("changed"))
		c.Request.Fields.Set("X-More", []byte("more"))
		c.Request.RewritePath([]byte("/elsewhere"))
		c.Response.Fields.Set("X-Up", []byte("changed"))
		c.RequestID = append(c.RequestID[:0], "other"...)
		c.Captures[0].Name = "d"
		if got := says(r); got != saysAll+"yes" || r.Request.Fields.Len() != 1 {
			t.Fatalf("the record: %s", got)
		}
	}
}

func TestADetachedRecordOutlivesItsRequest(t *testing.T) {
	r, mem := filled()
	var c Record
	c.CopyFrom(r)
	c.Detach()
	clear(mem)
	r.Reset()
	r.Request.RewritePath([]byte("/xxxxxxxxxxxxxx"))
	r.Request.Fields.Set("X-Other", []byte("xxxxxxxxxxxxxxx"))
	if got := says(&c); got != saysAll || c.Response.Status != 0 {
		t.Errorf("got %s", got)
	}
}

func TestTimesOfDayFollowTheAnchor(t *testing.T) {
	now := time.Now()
	var r Record
	if got := r.At(Clock(now)); got.Sub(now) != 0 {
		t.Errorf("%v, want %v", got, now)
	}
	set := now.Add(-3 * time.Second) // a clock that was set: another time of day at the same reading
	wall := set.Round(0).Add(time.Hour)
	r.Anchor = &wall
	if got, want := r.At(Clock(wall)+int64(time.Minute)), wall.Add(time.Minute); !got.Equal(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
