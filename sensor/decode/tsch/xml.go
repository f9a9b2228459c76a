package tsch

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/verderer/verderer/activity"
)

// maxDepth caps the elements that may be open at once: those that are read lie
// four deep (MS-TSCH §2.5).
const maxDepth = 16

// definition reads a task's XML into t. ok is false when it ends early, or is
// broken: then t has what stands before that.
func definition(text string, t *activity.Task) (ok bool) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it says UTF-16, which it was
	var (
		path      []string
		command   string
		arguments string
		done      bool // the first action was read
		whole     bool // an element was read to its end, and no other is open
	)
	defer func() {
		if !done {
			t.Action = action(command, arguments)
		}
	}()
	for {
		token, err := d.Token()
		if err != nil {
			return errors.Is(err, io.EOF) && whole
		}
		switch e := token.(type) {
		case xml.StartElement:
			if len(path) == maxDepth {
				return false
			}
			path, whole = append(path, e.Name.Local), false
		case xml.EndElement:
			if name := strings.Join(path, "/"); name == "Task/Actions/Exec" || name == "Task/Actions/ComHandler" {
				if !done {
					t.Action, done = action(command, arguments), true
				}
			}
			path = path[:len(path)-1]
			whole = len(path) == 0
		case xml.CharData:
			text := strings.TrimSpace(string(e))
			if text == "" {
				continue
			}
			switch strings.Join(path, "/") {
			case "Task/Actions/Exec/Command", "Task/Actions/ComHandler/ClassId":
				command += text
			case "Task/Actions/Exec/Arguments", "Task/Actions/ComHandler/Data":
				arguments += text
			case "Task/Principals/Principal/UserId", "Task/Principals/Principal/GroupId":
				t.RunAs = activity.Cut(text)
			case "Task/Settings/Hidden":
				t.Hidden = text == "true" || text == "1"
			case "Task/RegistrationInfo/URI":
				if t.Path == "" {
					t.Path = activity.Cut(text)
				}
			}
		}
	}
}

func action(command, arguments string) string {
	return activity.Cut(strings.TrimSpace(command + " " + arguments))
}
