package ipc

// Picture asks the maker of pictures to make one anew. It is the only message of a connection to the socket that StatePictures names.
type Picture struct {
	Token   Secret `json:"token"` // of StatePictures
	From    string `json:"from"`  // jpeg or png
	To      string `json:"to"`    // jpeg, png or webp
	Quality int    `json:"quality"`
	Until   int64  `json:"until"` // milliseconds since 1970: nobody waits for it any more
	Data    Slot   `json:"data"`  // sealed memfd
}

// PictureMade answers Picture.
type PictureMade struct {
	Data    Slot   `json:"data,omitempty"`    // sealed memfd; none where there is a Problem
	Problem string `json:"problem,omitempty"` // why there is none; it quotes nothing of the picture
}

// MaxPicture bounds a picture in bytes, before and after.
const MaxPicture = 32 << 20

// PicturesKey is the key of the one item of kind StatePictures, PicturesToken the length of the token at the front of its body.
const (
	PicturesKey   = "maker"
	PicturesToken = 32
)
