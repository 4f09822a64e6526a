package proxyproto
import ("net/netip";"errors")
const MaxHeader=512
var ErrNone=errors.New("x")
type Header struct{Source, Destination netip.AddrPort; Local bool}
func Parse([]byte) (Header,int,error) {return Header{},0,nil}
