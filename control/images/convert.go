package images

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"github.com/HugoSmits86/nativewebp"

	"pingap/ipc"
)

// Bounds of a picture, known before it is decoded.
const (
	// maxPixels times 4 bytes is what it takes decoded, twice while it is encoded.
	maxPixels = 24 << 20
	// maxSide is what WebP can say (RFC 9649 section 3.4), and JPEG nearly.
	maxSide = 16383
)

var (
	errLarge   = errors.New("the picture has too many pixels")
	errColours = errors.New("the picture has colours of its own, which would be lost")
	errTurned  = errors.New("the picture is to be shown turned, which would be lost")
	errMoves   = errors.New("the picture moves")
	errLonger  = errors.New("the picture would become longer")
	errForm    = errors.New("not such a picture")
)

// Convert makes a picture anew. What would look different afterwards is refused, and so is what would not be smaller.
func Convert(data []byte, from, to string, quality int) ([]byte, error) {
	decode, err := look(data, from)
	if err != nil {
		return nil, err
	}
	picture, err := decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", from, errForm)
	}
	out := &capped{limit: min(len(data), ipc.MaxPicture)}
	if err := encode(out, picture, to, quality); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// look judges a picture by its head, and returns its decoder.
func look(data []byte, from string) (func(*bytes.Reader) (image.Image, error), error) {
	var head image.Config
	var err error
	var decode func(*bytes.Reader) (image.Image, error)
	switch from {
	case "jpeg":
		head, err = jpeg.DecodeConfig(bytes.NewReader(data))
		decode = func(r *bytes.Reader) (image.Image, error) { return jpeg.Decode(r) }
	case "png":
		head, err = png.DecodeConfig(bytes.NewReader(data))
		decode = func(r *bytes.Reader) (image.Image, error) { return png.Decode(r) }
	default:
		return nil, fmt.Errorf("pictures from %q are not known", from)
	}
	if err != nil {
		return nil, fmt.Errorf("read the head of a %s: %w", from, errForm)
	}
	switch {
	case head.Width < 1 || head.Height < 1 || head.Width > maxSide || head.Height > maxSide || head.Width*head.Height > maxPixels:
		return nil, errLarge
	case head.ColorModel == color.CMYKModel:
		return nil, errColours
	}
	if from == "jpeg" {
		return decode, lookJPEG(data)
	}
	return decode, lookPNG(data)
}

func encode(out *capped, picture image.Image, to string, quality int) error {
	var err error
	switch to {
	case "jpeg":
		err = jpeg.Encode(out, picture, &jpeg.Options{Quality: quality})
	case "png":
		err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(out, picture)
	case "webp":
		if deep(picture) {
			return errColours
		}
		err = nativewebp.Encode(out, picture, nil)
	default:
		return fmt.Errorf("pictures to %q are not known", to)
	}
	if err == nil && out.full {
		err = errLonger
	}
	return err
}

// deep reports whether a picture has more than 8 bits for a colour.
func deep(picture image.Image) bool {
	switch picture.ColorModel() {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model, color.Alpha16Model:
		return true
	}
	return false
}

// lookPNG refuses what the decoder would leave out: animation, and colours by a profile.
func lookPNG(data []byte) error {
	for rest := data[min(8, len(data)):]; len(rest) >= 12; {
		length, kind := binary.BigEndian.Uint32(rest), string(rest[4:8])
		switch kind {
		case "acTL":
			return errMoves
		case "iCCP", "cHRM", "cICP":
			return errColours
		case "eXIf":
			return errTurned // perhaps
		case "IDAT", "IEND":
			return nil // what matters stands before
		}
		if uint64(length)+12 > uint64(len(rest)) {
			return errForm
		}
		rest = rest[length+12:]
	}
	return errForm
}

// lookJPEG refuses what the decoder would leave out: colours by a profile, and how the picture is turned.
func lookJPEG(data []byte) error {
	for rest := data[min(2, len(data)):]; len(rest) >= 4 && rest[0] == 0xff; {
		marker, length := rest[1], int(binary.BigEndian.Uint16(rest[2:4]))
		if marker == 0xff { // fill
			rest = rest[1:]
			continue
		}
		if length < 2 || length+2 > len(rest) {
			return errForm
		}
		segment := rest[4 : length+2]
		switch {
		case marker == 0xda:
			return nil // what matters stands before
		case marker == 0xe2 && bytes.HasPrefix(segment, []byte("ICC_PROFILE\x00")):
			return errColours
		case marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) && turned(segment[6:]):
			return errTurned
		}
		rest = rest[length+2:]
	}
	return errForm
}

// turned looks for an orientation other than the usual in EXIF data; what cannot be read counts as turned.
func turned(tiff []byte) bool {
	if len(tiff) < 8 {
		return true
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return true
	}
	count := int64(order.Uint16(tiff[at:]))
	if at+2+count*12 > int64(len(tiff)) {
		return true
	}
	for entry := tiff[at+2 : at+2+count*12]; len(entry) > 0; entry = entry[12:] {
		const orientation = 0x112
		if order.Uint16(entry) == orientation {
			return order.Uint16(entry[8:]) > 1
		}
	}
	return false
}

// capped is a buffer that takes less than limit bytes: what is not smaller than before is of no use.
type capped struct {
	bytes.Buffer
	limit int
	full  bool
}

// Write takes p, or says that it became too much.
func (c *capped) Write(p []byte) (int, error) {
	if c.full || c.Len()+len(p) >= c.limit {
		c.full = true
		return 0, errLonger
	}
	return c.Buffer.Write(p)
}
