package objects

import (
	"encoding/base64"
	"net/http"

	"pingap/control/admin/api"
	"pingap/control/admin/objects/internal/siv"
)

// aesNonce is that of the original. It never changes: equal texts look equal.
const aesNonce = "pingap nonce"

// postAES encrypts or decrypts a text as the original does those of storages.
func (o *Objects) postAES(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Category string `json:"category"`
		Key      string `json:"key"`
		Data     string `json:"data"`
	}
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if body.Key == "" {
		return api.Errorf(http.StatusBadRequest, "expected a key")
	}
	var key [siv.KeySize]byte
	copy(key[:], body.Key) // cut, or with zeros behind it
	nonce := [siv.NonceSize]byte([]byte(aesNonce))
	var out struct {
		Value string `json:"value"`
	}
	switch body.Category {
	case "encrypt":
		sealed, err := siv.Seal(&key, &nonce, []byte(body.Data))
		if err != nil {
			return err
		}
		out.Value = base64.StdEncoding.EncodeToString(sealed)
	case "decrypt":
		sealed, err := base64.StdEncoding.DecodeString(body.Data)
		if err != nil {
			return api.Errorf(http.StatusBadRequest, "the data is not base64")
		}
		plain, err := siv.Open(&key, &nonce, sealed)
		if err != nil {
			return api.Errorf(http.StatusBadRequest, "the data cannot be decrypted: %v", err)
		}
		out.Value = string(plain)
	default:
		return api.Errorf(http.StatusBadRequest, "category: expected encrypt or decrypt")
	}
	return api.WriteJSON(w, out)
}
