package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/verderer/verderer/center/ingest/journal"
	"github.com/verderer/verderer/center/store"
)

// Access says who may call a route. A route without one is closed to all.
type Access string

const (
	Public         Access = "public"              // anybody; what it tells and does is made for that
	EnrolKey       Access = "access key"          // whoever holds an access key: the handler looks at it
	Viewers        Access = Access(Viewer)        // every role
	Analysts       Access = Access(Analyst)       // analysts and administrators
	Administrators Access = Access(Administrator) // administrators
)

const (
	accessKey = "x-verderer-access" // of an operation in openapi.json
	base      = "/api/v1"           // of every route here
	maxBody   = 64 << 10            // of a request: the largest are an enrolment and a comment, of some 20 KB escaped
	bodyTime  = 15 * time.Second    // for a client to send its body
)

// lets tells whether a role is enough.
func (a Access) lets(r Role) bool {
	switch a {
	case Public, EnrolKey:
		return true
	case Viewers:
		return r == Viewer || r == Analyst || r == Administrator
	case Analysts:
		return r == Analyst || r == Administrator
	case Administrators:
		return r == Administrator
	}
	return false
}

// A Route is one line of the table.
type Route struct {
	Method, Path string // below /api/v1
	ID           string // operation id: the console's name of the call, and the audit log's
	Access       Access
	Summary      string

	status   int // of success; 0: 200, or 204 without a body
	register func(*Server, huma.API, huma.Operation)
}

// Routes is the table of everything below /api/v1: what there is, and who may
// call it. Nothing else is answered there.
func Routes() []Route {
	return []Route{
		{"GET", "/session", "getSession", Public, "Who is logged in", 0, at((*Server).getSession)},
		{"POST", "/setup", "setup", Public, "Make the first account with the one-time token, and log in", 0, at((*Server).setup)},
		{"POST", "/session", "login", Public, "Log in", 0, at((*Server).login)},
		{"DELETE", "/session", "logout", Public, "Log out", 204, at((*Server).logout)},

		{"GET", "/alerts", "listAlerts", Viewers, "Alerts, newest first", 0, at((*Server).listAlerts)},
		{"GET", "/alerts/{id}", "getAlert", Viewers, "One alert with its history", 0, at((*Server).getAlert)},
		{"GET", "/alerts/{id}/activities", "getAlertActivities", Viewers, "The activities behind an alert", 0, at((*Server).getAlertActivities)},
		{"POST", "/alerts/{id}/close", "closeAlert", Analysts, "Close an alert: a repeat opens a new one", 0, at((*Server).closeAlert)},
		{"POST", "/alerts/{id}/reopen", "reopenAlert", Analysts, "Reopen an alert closed by mistake", 0, at((*Server).reopenAlert)},
		{"POST", "/alerts/{id}/note", "noteAlert", Analysts, "Write a comment", 0, at((*Server).noteAlert)},

		{"GET", "/detections", "listDetections", Viewers, "Detections as they run here", 0, at((*Server).listDetections)},
		{"GET", "/detections/{id}", "getDetection", Viewers, "One detection", 0, at((*Server).getDetection)},

		{"GET", "/sensors", "listSensors", Viewers, "Enrolled sensors", 0, at((*Server).listSensors)},
		{"GET", "/sensors/{id}", "getSensor", Viewers, "One sensor", 0, at((*Server).getSensor)},
		{"DELETE", "/sensors/{id}", "revokeSensor", Administrators, "Revoke a sensor's certificate and forget the sensor", 204, at((*Server).revokeSensor)},
		{"GET", "/access-keys", "listAccessKeys", Administrators, "Access keys", 0, at((*Server).listAccessKeys)},
		{"POST", "/access-keys", "createAccessKey", Administrators, "Make an access key; it is shown this once", 201, at((*Server).createAccessKey)},
		{"DELETE", "/access-keys/{id}", "deleteAccessKey", Administrators, "Delete an access key", 204, at((*Server).deleteAccessKey)},
		{"POST", "/enrol", "enrol", EnrolKey, "Enrol a sensor", 0, at((*Server).enrol)},

		{"GET", "/checklist", "getChecklist", Viewers, "The way to the first activity", 0, at((*Server).getChecklist)},
		{"GET", "/health", "getHealth", Viewers, "What is wrong with us", 0, at((*Server).getHealth)},
		{"GET", "/audit", "getAudit", Administrators, "Who did what, and was denied what", 0, at((*Server).getAudit)},
		{"GET", "/events", "streamEvents", Viewers, "Live updates: what changed, for the client to ask anew", 0, events},
	}
}

// Inputs and outputs of routes, as huma wants them.
type (
	none        struct{}
	body[T any] struct{ Body T }
	withID      struct {
		ID string `path:"id" maxLength:"100"`
	}
	withComment struct {
		ID   string `path:"id" maxLength:"100"`
		Body Comment
	}
	alertQuery struct {
		Status    []string  `query:"status,explode" enum:"open,closed,suppressed" maxItems:"3" doc:"any of these; all without"`
		Severity  []string  `query:"severity,explode" enum:"low,medium,high" maxItems:"3" doc:"any of these; all without"`
		Detection string    `query:"detection" maxLength:"100" doc:"id of a detection"`
		Text      string    `query:"q" maxLength:"200" doc:"words, each of which stands somewhere in the alert: title, summary, names, addresses"`
		From      time.Time `query:"from" doc:"alerts that start at this time or later"`
		To        time.Time `query:"to" doc:"alerts that start before this time"`
		Before    string    `query:"before" maxLength:"200" doc:"cursor: next of the page before"`
		Limit     int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	}
	auditQuery struct {
		Limit int `query:"limit" minimum:"1" maximum:"1000" default:"200"`
	}
)

// at makes a handler of a method that refuses with a *Problem. Any other error
// goes to the log, and to nobody else.
func at[I, O any](do func(*Server, context.Context, *I) (*O, error)) func(*Server, huma.API, huma.Operation) {
	return func(s *Server, api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := do(s, ctx, in)
			if err == nil {
				return out, nil
			}
			var p *Problem
			switch {
			case errors.As(err, &p):
			case errors.Is(err, journal.ErrFull), errors.Is(err, store.ErrFull):
				p = errFull
			default:
				if ctx.Err() == nil {
					s.cfg.Log.Error("API call went wrong", "operation", op.OperationID, "error", err)
				}
				p = errInternal
			}
			if after := p.retryAfter(); after != "" {
				return nil, huma.ErrorWithHeaders(p, http.Header{"Retry-After": {after}})
			}
			return nil, p
		})
	}
}

// events declares the stream of live updates.
func events(s *Server, api huma.API, op huma.Operation) {
	op.Middlewares = huma.Middlewares{s.join}
	sse.Register(api, op, map[string]any{
		"alert":     AlertEvent{},
		"sensor":    SensorEvent{},
		"health":    HealthEvent{},
		"checklist": ChecklistEvent{},
		"heartbeat": HeartbeatEvent{},
	}, func(ctx context.Context, _ *none, send sse.Sender) { s.stream(ctx, send) })
}

// register puts the table on a mux.
func (s *Server) register(mux humago.Mux) huma.API {
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Verderer",
				Version: "1",
				Description: "The API of a Verderer center. Everything the console does is a call here. " +
					"Every refusal is a Problem with a stable code.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"session": {Type: "apiKey", In: "cookie", Name: cookieName,
						Description: "set by login and setup; sent by browsers to this origin alone"},
				},
			},
		},
		// "json" is whatever ends in +json: a Problem.
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		// A filter with a typing mistake in its name must not let everything through.
		RejectUnknownQueryParameters: true,
	}
	api := humago.New(mux, config)
	api.UseMiddleware(s.measure, s.authorize)
	for _, r := range Routes() {
		op := huma.Operation{
			OperationID:     r.ID,
			Method:          r.Method,
			Path:            base + r.Path,
			Summary:         r.Summary,
			DefaultStatus:   r.status,
			MaxBodyBytes:    maxBody,
			BodyReadTimeout: bodyTime,
			Extensions:      map[string]any{accessKey: r.Access},
		}
		if r.Access != Public && r.Access != EnrolKey {
			op.Security = []map[string][]string{{"session": {}}}
		}
		r.register(s, api, op)
	}
	precise(api.OpenAPI().Components.Schemas.Map())
	return api
}

// precise says of the schemas what their Go types do not: lists are never null,
// and the words that types of other packages know.
func precise(schemas map[string]*huma.Schema) {
	for _, s := range schemas {
		for _, p := range s.Properties {
			p.Nullable = p.Nullable && p.Type != huma.TypeArray
		}
	}
	for _, w := range []struct {
		schema, property string
		words            []any
	}{
		{"Alert", "severity", []any{"low", "medium", "high"}},
		{"Alert", "status", []any{"open", "closed", "suppressed"}},
		{"Alert", "outcome", []any{"success", "failure", "attempt"}},
		{"Alert", "certainty", []any{"high", "low"}},
		{"Alert", "baseline", []any{"unneeded", "none", "learned"}},
		{"Evidence", "kind", []any{"comparison", "statement", "resolution", "activities", "legitimate"}},
		{"Party", "role", []any{"attacked", "guessed", "exists", "unknown", "exposed", "actor"}},
		{"Activity", "outcome", []any{"success", "failure", "attempt"}},
	} {
		schemas[w.schema].Properties[w.property].Enum = w.words
	}
}

// OpenAPI is the document that openapi.json holds.
func OpenAPI() ([]byte, error) {
	api := new(Server).register(http.NewServeMux())
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(api.OpenAPI()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
