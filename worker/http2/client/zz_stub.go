package client
import ("net";"pingap/message")
type Stream struct{ net.Conn }
func (s *Stream) Trailers() *message.Fields {return nil}
func (s *Stream) WriteTrailers(*message.Fields) error {return nil}
func (s *Stream) CloseWrite() error {return nil}
func (s *Stream) Head(*message.Response) (bool, error) {return false,nil}
func (s *Stream) Ended() bool {return false}
func (s *Stream) Buffered() int {return 0}
func (s *Stream) Unprocessed() bool {return false}
type StreamError struct{}
func (*StreamError) Error() string {return ""}
