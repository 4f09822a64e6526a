package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// webSocket is the client side of RFC 6455, as much of it as the tests need.
type webSocket struct{ *client }

const (
	opContinue, opText, opBinary = 0, 1, 2
	opClose, opPing, opPong      = 8, 9, 10
	opFinal                      = 0x80
)

func openWebSocket(t *testing.T, addr, target string) *webSocket {
	t.Helper()
	var nonce [16]byte
	rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	c := dial(t, addr)
	a, err := c.do(get(target, "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: "+key,
		"Origin: http://e2e.test"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if accept := base64.StdEncoding.EncodeToString(sum[:]); a.status != 101 || a.header.Get("Sec-WebSocket-Accept") != accept {
		t.Fatalf("upgrade: %d %v", a.status, a.header)
	}
	if !strings.EqualFold(a.header.Get("Upgrade"), "websocket") || !strings.EqualFold(a.header.Get("Connection"), "upgrade") {
		t.Errorf("upgrade: %v", a.header)
	}
	return &webSocket{c}
}

// send writes one masked frame (RFC 6455, 5.2).
func (w *webSocket) send(op byte, payload []byte) error {
	frame := []byte{op}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	frame = append(frame, mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	_, err := w.conn.Write(frame)
	return err
}

// receive reads one frame.
func (w *webSocket) receive() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, nil, err
	}
	if head[1]&0x80 != 0 {
		return 0, nil, errors.New("a masked frame from the server")
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var size uint16
		err = binary.Read(w.in, binary.BigEndian, &size)
		n = uint64(size)
	case 127:
		err = binary.Read(w.in, binary.BigEndian, &n)
	}
	if err != nil || n > 16<<20 {
		return 0, nil, fmt.Errorf("frame of %d bytes: %w", n, err)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(w.in, payload)
	return head[0], payload, err
}

func (w *webSocket) echo(op byte, payload []byte) error {
	if err := w.conn.SetDeadline(time.Now().Add(exchangeTime)); err != nil {
		return err
	}
	if err := w.send(op|opFinal, payload); err != nil {
		return err
	}
	got, back, err := w.receive()
	switch {
	case err != nil:
		return err
	case got&0x7f != op || !bytes.Equal(back, payload):
		return fmt.Errorf("opcode %d and %d bytes came back for %d and %d", got, len(back), op, len(payload))
	}
	return nil
}

func TestWebSocketEcho(t *testing.T) {
	t.Parallel()
	i, addr := behind(t, newHTTPBin(t))
	w := openWebSocket(t, addr, "/websocket/echo?max_fragment_size=1048576&max_message_size=1048576")
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 300_000} {
		if err := w.echo(opBinary, bytes.Repeat([]byte{0x5a}, n)); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if err := w.echo(opText, []byte("grüße")); err != nil {
		t.Error(err)
	}
	// A hot change elsewhere does not touch an open tunnel.
	i.change(read(t, i.conf) + "\n[locations.more]\npath = \"/more\"\nupstream = \"app\"\n")
	if err := w.echo(opText, []byte("after a reload")); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	if err := w.send(opPing|opFinal, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if op, back, err := w.receive(); op&0x7f != opPong || string(back) != "hi" || err != nil {
		t.Errorf("ping: opcode %d, %q, %v", op, back, err)
	}
	if err := w.send(opClose|opFinal, []byte{3, 232}); err != nil {
		t.Fatal(err)
	}
	if op, _, err := w.receive(); op&0x7f != opClose || err != nil {
		t.Errorf("close: opcode %d, %v", op, err)
	}
	if _, err := w.in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the close: %v", err)
	}
}

// An ordinary request goes on working where an upgrade was refused.
func TestRefusedUpgradeIsAnOrdinaryAnswer(t *testing.T) {
	t.Parallel()
	_, addr := behind(t, newHTTPBin(t))
	c := dial(t, addr)
	a, err := c.do(get("/get", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="))
	if err != nil || a.status != 200 {
		t.Fatalf("%+v, %v", a, err)
	}
	if a, err = fetch(addr, get("/websocket/echo")); err != nil || a.status/100 != 4 {
		t.Errorf("without an upgrade: %+v, %v", a, err)
	}
}
