package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Problem is the body of every refusal (RFC 9457). Scripts branch on Code,
// which never changes its meaning; Detail is for people.
type Problem struct {
	Title  string         `json:"title" doc:"the HTTP status in words"`
	Status int            `json:"status"`
	Code   string         `json:"code" doc:"stable, kebab-case: not-logged-in, forbidden, not-found, invalid, too-many, internal"`
	Detail string         `json:"detail" doc:"for people"`
	Errors []ProblemField `json:"errors,omitempty" doc:"what is wrong with the request, part by part"`
}

// ProblemField is one thing wrong with a request. It does not repeat the value:
// that may be a password.
type ProblemField struct {
	Location string `json:"location,omitempty" doc:"body.comment, query.limit"`
	Message  string `json:"message"`
}

// Error is for logs.
func (p *Problem) Error() string { return fmt.Sprintf("%s: %s", p.Code, p.Detail) }

// GetStatus tells huma the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType tells huma the media type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// refuse makes a problem that a handler returns.
func refuse(status int, code, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// answer refuses before huma asks a handler.
func answer(ctx huma.Context, p *Problem) {
	ctx.SetHeader("Content-Type", p.ContentType(""))
	if after := p.retryAfter(); after != "" {
		ctx.SetHeader("Retry-After", after)
	}
	ctx.SetStatus(p.Status)
	_ = json.NewEncoder(ctx.BodyWriter()).Encode(p) // a client that is gone
}

// writeProblem refuses outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	if after := p.retryAfter(); after != "" {
		w.Header().Set("Retry-After", after)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// retryAfter is how many seconds a client should wait, "" when waiting does not help.
func (p *Problem) retryAfter() string {
	switch p.Status {
	case http.StatusTooManyRequests:
		return "60"
	case http.StatusServiceUnavailable:
		return "10"
	}
	return ""
}

var (
	errNotLoggedIn = refuse(http.StatusUnauthorized, "not-logged-in", "Log in first.")
	errForbidden   = refuse(http.StatusForbidden, "forbidden", "Your role does not allow this.")
	errInternal    = refuse(http.StatusInternalServerError, "internal", "Something went wrong in the center. Its log says what.")
	errTooMany     = refuse(http.StatusTooManyRequests, "too-many", "Too many attempts. Wait a minute and try again.")
	errFull        = refuse(http.StatusServiceUnavailable, "cannot-store", "The center cannot store anything now: see Health.")
	errBusy        = refuse(http.StatusTooManyRequests, "busy", "Too many logins at once. Try again in some seconds.")
)

// codes of the refusals that huma makes before a handler is asked.
var codes = map[int]string{
	http.StatusBadRequest:            "bad-request",
	http.StatusUnauthorized:          "not-logged-in",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not-found",
	http.StatusMethodNotAllowed:      "method-not-allowed",
	http.StatusNotAcceptable:         "not-acceptable",
	http.StatusRequestTimeout:        "too-slow",
	http.StatusRequestEntityTooLarge: "too-large",
	http.StatusUnsupportedMediaType:  "unsupported-media-type",
	http.StatusUnprocessableEntity:   "invalid",
	http.StatusTooManyRequests:       "too-many",
}

// init makes huma's own refusals Problems too. It has no other place to say so.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		if status >= 500 {
			return errInternal // what went wrong inside is for the log alone
		}
		code := codes[status]
		if code == "" {
			code = "bad-request"
		}
		p := refuse(status, code, "%s", sentence(message))
		for _, err := range errs {
			if err == nil {
				continue
			}
			f := ProblemField{Message: err.Error()}
			if d, ok := err.(huma.ErrorDetailer); ok {
				f = ProblemField{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message}
			}
			p.Errors = append(p.Errors, f)
		}
		return p
	}
}

// sentence makes a sentence of a remark.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
