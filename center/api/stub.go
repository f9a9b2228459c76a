package api

import (
	"context"
	"log/slog"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/verderer/verderer/activity/wire"
)

const cookieName = "__Host-verderer"

type Config struct{ Log *slog.Logger }
type Server struct{ cfg Config }

func (s *Server) authorize(ctx huma.Context, next func(huma.Context)) {}
func (s *Server) streamEvents(ctx context.Context, send sse.Sender)   {}
func (s *Server) getSession(ctx context.Context, in *none) (*body[Session], error) {
	return nil, nil
}
func (s *Server) setup(ctx context.Context, in *body[Setup]) (*body[Session], error) { return nil, nil }
func (s *Server) login(ctx context.Context, in *body[Login]) (*body[Session], error) { return nil, nil }
func (s *Server) logout(ctx context.Context, in *none) (*none, error)                { return nil, nil }
func (s *Server) listAlerts(ctx context.Context, in *alertQuery) (*body[AlertList], error) {
	return nil, nil
}
func (s *Server) getAlert(ctx context.Context, in *withID) (*body[AlertDetail], error) {
	return nil, nil
}
func (s *Server) getAlertActivities(ctx context.Context, in *withID) (*body[AlertActivities], error) {
	return nil, nil
}
func (s *Server) closeAlert(ctx context.Context, in *withComment) (*body[AlertDetail], error) {
	return nil, nil
}
func (s *Server) reopenAlert(ctx context.Context, in *withComment) (*body[AlertDetail], error) {
	return nil, nil
}
func (s *Server) noteAlert(ctx context.Context, in *withComment) (*body[AlertDetail], error) {
	return nil, nil
}
func (s *Server) listDetections(ctx context.Context, in *none) (*body[DetectionList], error) {
	return nil, nil
}
func (s *Server) getDetection(ctx context.Context, in *withID) (*body[Detection], error) {
	return nil, nil
}
func (s *Server) listSensors(ctx context.Context, in *none) (*body[SensorList], error) {
	return nil, nil
}
func (s *Server) getSensor(ctx context.Context, in *withID) (*body[Sensor], error) { return nil, nil }
func (s *Server) revokeSensor(ctx context.Context, in *withID) (*none, error)      { return nil, nil }
func (s *Server) listAccessKeys(ctx context.Context, in *none) (*body[AccessKeyList], error) {
	return nil, nil
}
func (s *Server) createAccessKey(ctx context.Context, in *body[NewAccessKey]) (*body[ShownAccessKey], error) {
	return nil, nil
}
func (s *Server) deleteAccessKey(ctx context.Context, in *withID) (*none, error) { return nil, nil }
func (s *Server) enrol(ctx context.Context, in *body[wire.Enrolment]) (*body[wire.Enrolled], error) {
	return nil, nil
}
func (s *Server) getChecklist(ctx context.Context, in *none) (*body[Checklist], error) {
	return nil, nil
}
func (s *Server) getHealth(ctx context.Context, in *none) (*body[HealthReport], error) {
	return nil, nil
}
func (s *Server) getAudit(ctx context.Context, in *auditQuery) (*body[AuditLog], error) {
	return nil, nil
}
