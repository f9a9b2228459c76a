package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/verderer/verderer/center/detect"
)

// guidance takes a detection's page apart by its headings.
func guidance(readme string) (Guidance, error) {
	var g Guidance
	parts := map[string]*string{
		"What happened":   &g.WhatHappened,
		"How to check":    &g.HowToCheck,
		"False positives": &g.FalsePositives,
		"Response":        &g.Response,
	}
	for _, section := range strings.Split("\n"+readme, "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		if p := parts[strings.TrimSpace(title)]; p != nil {
			*p = strings.TrimSpace(text)
		}
	}
	for title, p := range parts {
		if *p == "" {
			return g, fmt.Errorf("there is nothing below the heading %q", title)
		}
	}
	return g, nil
}

func (s *Server) listDetections(ctx context.Context, _ *none) (*body[DetectionList], error) {
	list := DetectionList{Detections: make([]Detection, 0, len(s.cfg.Definitions))}
	all, err := s.detections(ctx, s.cfg.Definitions)
	list.Detections = append(list.Detections, all...)
	slices.SortFunc(list.Detections, func(a, b Detection) int { return strings.Compare(a.Name, b.Name) })
	return &body[DetectionList]{list}, err
}

func (s *Server) getDetection(ctx context.Context, in *withID) (*body[Detection], error) {
	for i, d := range s.cfg.Definitions {
		if d.ID == in.ID {
			one, err := s.detections(ctx, s.cfg.Definitions[i:i+1])
			if err != nil {
				return nil, err
			}
			return &body[Detection]{one[0]}, nil
		}
	}
	return nil, refuse(http.StatusNotFound, "not-found", "There is no such detection.")
}

func (s *Server) detections(ctx context.Context, defs []*detect.Definition) ([]Detection, error) {
	open, err := s.cfg.Store.OpenAlerts(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := s.cfg.Store.AlertCounts(ctx)
	if err != nil {
		return nil, err
	}
	level, evaluations := s.cfg.Level(), s.cfg.Evaluations()
	var list []Detection
	for _, d := range defs {
		e := evaluations[d.ID]
		one := Detection{
			ID: d.ID, Name: d.Name, Description: d.Description, Severity: d.Severity, Tactic: d.Tactic,
			Techniques: append([]string{}, d.Techniques...), MDIID: d.MDIID, ATAIDs: append([]int{}, d.ATAIDs...),
			Level: level, State: "waiting", StateText: sentence(e.Text),
			Needs: append([]string{}, d.Needs...), BlindSpots: append([]string{}, d.BlindSpots...), Legitimate: d.Legitimate,
			Tunables: []Tunable{}, Guidance: s.guidance[d.ID], Alerts: counts[d.ID],
		}
		if e.Working {
			one.State = "working"
		}
		for _, n := range open[d.ID] {
			one.Open += n
		}
		tuning := d.Tune(level)
		for _, t := range d.Tunables {
			one.Tunables = append(one.Tunables, Tunable{Name: t.Name, Unit: t.Unit, Value: tuning.Int(t.Name), Why: t.Why})
		}
		list = append(list, one)
	}
	return list, nil
}
