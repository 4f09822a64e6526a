package directory

import (
	"strings"

	"pingap/message"
	"pingap/plugins"
)

// mediaType is the value of Content-Type.
type mediaType struct {
	value []byte
	html  bool // never gets a max-age
}

// typeTable is a media type and its extensions a line. It is our own so that all machines answer the same.
const typeTable = `
text/html html htm shtml
text/css css
text/javascript js mjs cjs
text/plain txt text log conf ini cfg md5 sha256
text/markdown md markdown
text/csv csv
text/tab-separated-values tsv
text/xml xml xsl xsd
text/calendar ics
text/vcard vcf
text/vtt vtt
text/cache-manifest appcache
text/x-component htc
application/json json map
application/ld+json jsonld
application/geo+json geojson
application/manifest+json webmanifest
application/yaml yaml yml
application/toml toml
application/xhtml+xml xhtml
application/rss+xml rss
application/atom+xml atom
application/wasm wasm
application/pdf pdf
application/rtf rtf
application/sql sql
application/x-sh sh
application/postscript ps eps ai
application/zip zip
application/gzip gz tgz
application/zstd zst
application/x-bzip2 bz2
application/x-xz xz
application/x-tar tar
application/x-7z-compressed 7z
application/vnd.rar rar
application/java-archive jar war ear
application/vnd.android.package-archive apk
application/vnd.debian.binary-package deb
application/x-rpm rpm
application/epub+zip epub
application/msword doc dot
application/vnd.ms-excel xls
application/vnd.ms-powerpoint ppt
application/vnd.ms-fontobject eot
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.presentation odp
application/vnd.apple.mpegurl m3u8
application/dash+xml mpd
font/woff woff
font/woff2 woff2
font/ttf ttf
font/otf otf
font/collection ttc
image/png png
image/jpeg jpg jpeg jpe jfif
image/gif gif
image/webp webp
image/avif avif
image/jxl jxl
image/heic heic
image/svg+xml svg
image/x-icon ico
image/bmp bmp
image/tiff tif tiff
image/apng apng
audio/mpeg mp3
audio/mp4 m4a
audio/aac aac
audio/ogg ogg oga opus
audio/flac flac
audio/wav wav
audio/midi mid midi
video/mp4 mp4 m4v
video/mpeg mpeg mpg
video/webm webm
video/ogg ogv
video/quicktime mov
video/x-matroska mkv
video/x-msvideo avi
video/mp2t ts
video/3gpp 3gp
model/gltf-binary glb
model/gltf+json gltf
`

// readTypes returns the types by extension, and the one of all other files.
func readTypes(charset string) (map[string]mediaType, mediaType, error) {
	unknown := mediaType{value: []byte("application/octet-stream")}
	if charset != "" && !message.ValidToken([]byte(charset)) {
		return nil, unknown, plugins.Errorf("charset", "expected the name of a character set such as utf-8")
	}
	types := map[string]mediaType{}
	for line := range strings.Lines(typeTable) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		value := words[0]
		html := value == "text/html" || value == "application/xhtml+xml"
		if charset != "" && strings.HasPrefix(value, "text/") {
			value += "; charset=" + charset
		}
		for _, extension := range words[1:] {
			types[extension] = mediaType{value: []byte(value), html: html}
		}
	}
	return types, unknown, nil
}

// longestExtension is that of the table.
const longestExtension = len("webmanifest")

// typeOf returns the type of a name by its extension, in any case.
func (d *directory) typeOf(name []byte) mediaType {
	var space [longestExtension]byte
	for i := len(name) - 1; i >= 0 && name[i] != '/' && len(name)-i <= longestExtension+1; i-- {
		if name[i] != '.' {
			continue
		}
		n := copy(space[:], name[i+1:])
		for j := range space[:n] {
			if c := space[j]; c >= 'A' && c <= 'Z' {
				space[j] = c | 0x20
			}
		}
		if t, found := d.types[string(space[:n])]; found {
			return t
		}
		break
	}
	return d.unknown
}
