package winevent

import (
	"encoding/xml"
	"html"
	"io"
	"strings"
)

// Limits of XML within a field: it is data that somebody else wrote.
const (
	maxXMLDepth  = 32
	maxXMLTokens = 4096
)

// elements calls take with the text of each element that has no others in it,
// and the names above it. It tells whether s was XML to its end.
func elements(s string, take func(path []string, text string)) bool {
	s = strings.TrimLeft(s, "\ufeff \t\r\n")
	if strings.HasPrefix(s, "&lt;") { // escaped once more by NXLog
		s = html.UnescapeString(s)
	}
	d := xml.NewDecoder(strings.NewReader(s))
	// The declaration says UTF-16, which it was until it was read.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var path []string
	var text strings.Builder
	found := false
	for range maxXMLTokens {
		token, err := d.Token()
		if err != nil {
			return found && err == io.EOF
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(path) == maxXMLDepth {
				return false
			}
			path = append(path, t.Name.Local)
			text.Reset()
			found = true
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			if v := strings.TrimSpace(text.String()); v != "" && len(path) > 0 {
				take(path, v)
			}
			text.Reset()
			if len(path) > 0 {
				path = path[:len(path)-1]
			}
		}
	}
	return false
}
