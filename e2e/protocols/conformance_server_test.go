package protocols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	conformanceRole = "conformance-server"
	referenceName   = "PROTOCOLS_REFERENCE" // path of the reference server
	mostMessage     = 1 << 20               // bytes of a message of the runner
)

// Fields and values of ServerCompatRequest and ServerCompatResponse (server_compat.proto of the suite).
const (
	requestVersion, requestTLS, requestCreds = 2, 4, 7
	credsCert, credsKey                      = 1, 2
	responseHost, responsePort, responseCert = 1, 2, 3
	protocolGRPCWeb                          = 3
	requestProtocol                          = 1
	version2                                 = 2
)

// conformanceServer is what the runner starts as the server under test: it reads how that should be, starts the reference server for HTTP/2
// in the clear and the proxy in front of it, tells the address of the proxy, and ends with SIGTERM.
func conformanceServer(in io.Reader, out, log io.Writer) int {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	c := &conformance{log: log}
	err := c.start(in, out)
	if err == nil {
		<-ended
	}
	if err = errors.Join(err, c.stop()); err != nil {
		fmt.Fprintln(log, err)
		return 1
	}
	return 0
}

// conformance is the reference server and the proxy.
type conformance struct {
	log       io.Writer
	dir       string
	reference *child
	front     *front
}

func (c *conformance) start(in io.Reader, out io.Writer) error {
	message, err := readMessage(in)
	if err != nil {
		return err
	}
	ask, err := parseFields(message)
	if err != nil {
		return err
	}
	upstream, err := c.startReference(ask)
	if err != nil {
		return err
	}
	w := wish{Upstream: upstream, H2Upstream: true, GRPC: true, GRPCWeb: ask.number(requestProtocol) == protocolGRPCWeb}
	creds, err := parseFields(ask.bytes(requestCreds))
	if err != nil {
		return err
	}
	useTLS := ask.number(requestTLS) == 1
	if c.dir, err = workDir(); err != nil {
		return err
	}
	if useTLS {
		w.Cert, w.Key = filepath.Join(c.dir, "cert.pem"), filepath.Join(c.dir, "key.pem")
		if err := errors.Join(os.WriteFile(w.Cert, creds.bytes(credsCert), 0o644), os.WriteFile(w.Key, creds.bytes(credsKey), 0o644)); err != nil {
			return err
		}
	}
	if c.front, err = startFront(w); err != nil {
		return err
	}
	address := c.front.Plain
	if useTLS {
		address = c.front.TLS
	}
	return writeAnswer(out, address, useTLS, creds.bytes(credsCert))
}

// startReference starts it for HTTP/2 in the clear, whatever the client will speak, and returns its address.
func (c *conformance) startReference(ask fields) (string, error) {
	var changed fields
	for _, f := range ask {
		if f.number != requestVersion && f.number != requestTLS && f.number != requestCreds {
			changed = append(changed, f)
		}
	}
	changed = append(changed, field{number: requestVersion, value: version2})
	from, to, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer from.Close()
	cmd := exec.Command(os.Getenv(referenceName))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(changed.message()), to, c.log
	c.reference, err = startChild(cmd)
	to.Close()
	if err != nil {
		return "", err
	}
	message, err := readMessage(from)
	if err != nil {
		return "", fmt.Errorf("read the reference server's answer: %w", err)
	}
	answer, err := parseFields(message)
	return net.JoinHostPort(string(answer.bytes(responseHost)), strconv.Itoa(int(answer.number(responsePort)))), err
}

func writeAnswer(out io.Writer, address string, useTLS bool, cert []byte) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return err
	}
	answer := fields{{number: responseHost, text: []byte(host)}, {number: responsePort, value: n}}
	if useTLS {
		answer = append(answer, field{number: responseCert, text: cert})
	}
	_, err = out.Write(answer.message())
	return err
}

func (c *conformance) stop() error {
	var errs []error
	if c.front != nil {
		errs = append(errs, c.front.stop())
	}
	if c.reference != nil && c.reference.cmd.Process != nil {
		errs = append(errs, c.reference.stop())
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

// readMessage reads one of the runner's messages: length in four bytes, then protobuf.
func readMessage(in io.Reader) ([]byte, error) {
	var size uint32
	if err := binary.Read(in, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	if size > mostMessage {
		return nil, fmt.Errorf("a message of %d bytes", size)
	}
	message := make([]byte, size)
	_, err := io.ReadFull(in, message)
	return message, err
}

// field is one of a protobuf message: a number, or bytes where text is not nil.
type field struct {
	number uint64
	value  uint64
	text   []byte
}

type fields []field

// parseFields knows varints and bytes, all that these messages have.
func parseFields(b []byte) (fields, error) {
	var list fields
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errors.New("protobuf: a broken tag")
		}
		v, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, errors.New("protobuf: a broken number")
		}
		b = b[n+m:]
		switch tag & 7 {
		case 0:
			list = append(list, field{number: tag >> 3, value: v})
		case 2:
			if v > uint64(len(b)) {
				return nil, errors.New("protobuf: a field longer than its message")
			}
			list = append(list, field{number: tag >> 3, text: b[:v:v]})
			b = b[v:]
		default:
			return nil, fmt.Errorf("protobuf: wire type %d", tag&7)
		}
	}
	return list, nil
}

// message is the opposite, with the length before it.
func (list fields) message() []byte {
	b := make([]byte, 4)
	for _, f := range list {
		if f.text == nil {
			b = binary.AppendUvarint(binary.AppendUvarint(b, f.number<<3), f.value)
			continue
		}
		b = binary.AppendUvarint(b, f.number<<3|2)
		b = binary.AppendUvarint(b, uint64(len(f.text)))
		b = append(b, f.text...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func (list fields) number(n uint64) uint64 {
	for _, f := range list {
		if f.number == n {
			return f.value
		}
	}
	return 0
}

func (list fields) bytes(n uint64) []byte {
	for _, f := range list {
		if f.number == n {
			return f.text
		}
	}
	return nil
}
