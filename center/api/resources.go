// Package api serves the HTTP API that the console and scripts use: everything
// the console does is a call here. Routes, their roles and their types are
// stated in code, openapi.json is generated from them, and the console's client
// from that.
package api

import (
	"github.com/verderer/verderer/activity"
	"github.com/verderer/verderer/center/alert"
	"github.com/verderer/verderer/center/detect"
	"github.com/verderer/verderer/counter"
)

// Role of a person. What each may do is the table of routes.
type Role string

const (
	Administrator Role = "administrator" // everything, sensors and settings included
	Analyst       Role = "analyst"       // handles alerts
	Viewer        Role = "viewer"        // looks
)

// User is who is logged in.
type User struct {
	Name string `json:"name"`
	Role Role   `json:"role" enum:"administrator,analyst,viewer"`
}

// Session is answered to anybody: who asks, and whether the center still waits
// for its first account.
type Session struct {
	User        *User  `json:"user,omitempty" doc:"absent when nobody is logged in"`
	SetupNeeded bool   `json:"setupNeeded" doc:"there is no account yet: follow the set-up link that the center printed"`
	Version     string `json:"version"`
}

// Setup makes the first account, an administrator's.
type Setup struct {
	Token    string `json:"token" minLength:"1" maxLength:"200" doc:"of the set-up link: what stands behind the #"`
	Name     string `json:"name" minLength:"1" maxLength:"64"`
	Password string `json:"password" minLength:"12" maxLength:"256" doc:"12 characters or more, and not the name"`
}

// Login is how a person proves who they are.
type Login struct {
	Name     string `json:"name" minLength:"1" maxLength:"64"`
	Password string `json:"password" minLength:"1" maxLength:"256"`
}

// AlertSummary is a row of the timeline.
type AlertSummary struct {
	ID        string            `json:"id"`
	Detection string            `json:"detection"`
	Title     string            `json:"title"`
	Severity  detect.Severity   `json:"severity" enum:"low,medium,high"`
	Status    alert.Status      `json:"status" enum:"open,closed,suppressed"`
	Start     activity.Time     `json:"start" format:"date-time"`
	End       activity.Time     `json:"end" format:"date-time"`
	Raised    activity.Time     `json:"raised" format:"date-time" doc:"when the center first stored it"`
	Updated   activity.Time     `json:"updated" format:"date-time" doc:"when it last changed"`
	Summary   string            `json:"summary"`
	Sources   []detect.Computer `json:"sources" doc:"at most 3; sourceCount counts all"`
	Accounts  []detect.Party    `json:"accounts" doc:"at most 3"`
	Targets   []detect.Computer `json:"targets" doc:"at most 3"`
	Sourced   int               `json:"sourceCount"`
	Accounted int               `json:"accountCount"`
	Targeted  int               `json:"targetCount"`
	Count     int               `json:"count" doc:"acts"`
	Late      bool              `json:"late,omitempty"`
	Previous  string            `json:"previous,omitempty" doc:"the closed alert that this one repeats"`
}

// AlertList is one page of the timeline, newest first.
type AlertList struct {
	Alerts []AlertSummary `json:"alerts"`
	Next   string         `json:"next,omitempty" doc:"cursor of the next page; absent on the last"`
	Total  int            `json:"total" doc:"alerts that the filter lets through"`
	Open   Severities     `json:"open" doc:"all open alerts, whatever the filter"`
}

// Severities counts by severity.
type Severities struct {
	High   int `json:"high"`
	Medium int `json:"medium"`
	Low    int `json:"low"`
}

// HistoryEntry is one thing that happened to an alert.
type HistoryEntry struct {
	Time    activity.Time `json:"time" format:"date-time"`
	Do      string        `json:"do" enum:"raised,close,reopen,note"`
	By      string        `json:"by,omitempty" doc:"user name; absent for raised"`
	Comment string        `json:"comment,omitempty"`
}

// AlertDetail is one alert, whole.
type AlertDetail struct {
	Alert    *alert.Alert   `json:"alert"`
	Raised   activity.Time  `json:"raised" format:"date-time"`
	Updated  activity.Time  `json:"updated" format:"date-time"`
	History  []HistoryEntry `json:"history" doc:"oldest first"`
	Next     string         `json:"next,omitempty" doc:"the alert that repeats this one after it was closed"`
	Guidance Guidance       `json:"guidance"`
}

// Guidance is the detection's own page in parts, in Markdown.
type Guidance struct {
	WhatHappened   string `json:"whatHappened"`
	HowToCheck     string `json:"howToCheck"`
	FalsePositives string `json:"falsePositives"`
	Response       string `json:"response"`
}

// AlertActivities are the activities behind an alert, oldest first.
type AlertActivities struct {
	Activities []*activity.Activity `json:"activities"`
	Missing    int                  `json:"missing" doc:"named by the alert, but no longer kept"`
}

// Comment goes with closing, reopening or noting.
type Comment struct {
	Comment string `json:"comment,omitempty" maxLength:"4096"`
}

// Detection is one detection as it runs here.
type Detection struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Severity    detect.Severity `json:"severity" enum:"low,medium,high"`
	Tactic      string          `json:"tactic"`
	Techniques  []string        `json:"techniques"`
	MDIID       int             `json:"mdiId"`
	ATAIDs      []int           `json:"ataIds"`
	Level       detect.Level    `json:"level" enum:"high,medium,low"`
	State       string          `json:"state" enum:"working,waiting" doc:"waiting: nothing it looks at was seen yet"`
	StateText   string          `json:"stateText" doc:"a sentence: what it looked at, or what it waits for"`
	Needs       []string        `json:"needs"`
	BlindSpots  []string        `json:"blindSpots"`
	Legitimate  string          `json:"legitimate"`
	Tunables    []Tunable       `json:"tunables"`
	Guidance    Guidance        `json:"guidance"`
	Open        int             `json:"open" doc:"open alerts"`
	Alerts      int             `json:"alerts" doc:"all alerts"`
}

// DetectionList is every detection that runs here.
type DetectionList struct {
	Detections []Detection `json:"detections"`
}

// Tunable is a number that a detection compares with.
type Tunable struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Value int    `json:"value" doc:"at the level it runs at"`
	Why   string `json:"why"`
}

// SensorState says how a sensor is, worst first.
type SensorState string

const (
	SensorSilent  SensorState = "silent"  // enrolled, and nothing is heard of it
	SensorNever   SensorState = "never"   // enrolled, and has never connected
	SensorAhead   SensorState = "ahead"   // its clock is ahead: what it states is quarantined
	SensorBehind  SensorState = "behind"  // its clock lags, or it works off a backlog: its activities are late
	SensorHolding SensorState = "holding" // the center cannot store: the sensor keeps what it has
	SensorFiles   SensorState = "files"   // reads files
	SensorDone    SensorState = "done"    // has read its files
	SensorWorking SensorState = "working"
)

// Sensor is one enrolled sensor.
type Sensor struct {
	ID            string        `json:"id"`
	Name          string        `json:"name"`
	Host          string        `json:"host"`
	OS            string        `json:"os"`
	Version       string        `json:"version"`
	State         SensorState   `json:"state" enum:"silent,never,ahead,behind,holding,files,done,working"`
	StateText     string        `json:"stateText" doc:"a sentence: what is the matter, and what to do"`
	Enrolled      activity.Time `json:"enrolled" format:"date-time"`
	LastSeen      activity.Time `json:"lastSeen,omitempty" format:"date-time"`
	CertExpires   activity.Time `json:"certificateExpires" format:"date-time"`
	Sources       []string      `json:"sources" doc:"what it reads: interface eth0, 3 files"`
	LagSeconds    float64       `json:"lagSeconds" doc:"how far what it states is behind the center's clock"`
	SkewSeconds   float64       `json:"skewSeconds" doc:"its clock minus the center's; negative when behind"`
	Packets       int64         `json:"packets"`
	Events        int64         `json:"events"`
	Activities    int64         `json:"activities"`
	Dropped       int64         `json:"dropped" doc:"packets the kernel dropped"`
	FirstPacket   activity.Time `json:"firstPacket,omitempty" format:"date-time" doc:"when the center first heard of a packet"`
	FirstActivity activity.Time `json:"firstActivity,omitempty" format:"date-time"`
	SpoolBatches  int64         `json:"spoolBatches" doc:"waiting to be sent"`
	SpoolBytes    int64         `json:"spoolBytes"`
	SpoolLimit    int64         `json:"spoolLimit"`
	SpoolLost     int64         `json:"spoolLost" doc:"batches dropped because the spool was full"`
	Memory        int64         `json:"memory" doc:"resident bytes"`
	Counters      []counter.Row `json:"counters" doc:"what each stage saw, dropped and did not understand"`
}

// SensorList is every enrolled sensor that was not revoked.
type SensorList struct {
	Sensors []Sensor `json:"sensors"`
}

// AccessKey lets sensors enrol.
type AccessKey struct {
	ID      string        `json:"id"`
	Note    string        `json:"note"`
	By      string        `json:"by"`
	Created activity.Time `json:"created" format:"date-time"`
	Expires activity.Time `json:"expires" format:"date-time"`
	Uses    int           `json:"uses" doc:"how many sensors it may still enrol"`
	Used    int           `json:"used"`
}

// AccessKeyList is every access key that was not deleted, expired and used up
// ones too.
type AccessKeyList struct {
	AccessKeys []AccessKey `json:"accessKeys"`
}

// NewAccessKey asks for one.
type NewAccessKey struct {
	Note  string `json:"note,omitempty" maxLength:"200"`
	Hours int    `json:"hours,omitempty" minimum:"1" maximum:"720" default:"24"`
	Uses  int    `json:"uses,omitempty" minimum:"1" maximum:"1000" default:"1"`
}

// ShownAccessKey is the only time that the key itself is shown.
type ShownAccessKey struct {
	AccessKey
	Key     string `json:"key"`
	Command string `json:"command" doc:"what to run on the domain controller"`
}

// Step is one line of the first-run checklist.
type Step struct {
	ID    string        `json:"id" enum:"account,sensor,packet,activity"`
	Title string        `json:"title"`
	Hint  string        `json:"hint" doc:"what to do while it is not done"`
	Done  bool          `json:"done"`
	At    activity.Time `json:"at,omitempty" format:"date-time"`
}

// Checklist is the way from the first account to the first activity.
type Checklist struct {
	Steps []Step `json:"steps"`
	Done  bool   `json:"done"`
}

// HealthIssue is something wrong with us.
type HealthIssue struct {
	Kind     string          `json:"kind" doc:"stable, kebab-case: sensor-silent, disk-full, clock-ahead"`
	Subject  string          `json:"subject,omitempty" doc:"id of the sensor it is about"`
	Severity detect.Severity `json:"severity" enum:"low,medium,high"`
	Text     string          `json:"text" doc:"what is wrong, and since when what is lost"`
	Remedy   string          `json:"remedy"`
	Since    activity.Time   `json:"since" format:"date-time"`
}

// HealthReport lists the issues that are open now, worst first.
type HealthReport struct {
	Issues []HealthIssue `json:"issues"`
}

// AuditEntry is one thing that somebody did or was denied.
type AuditEntry struct {
	Time   activity.Time `json:"time" format:"date-time"`
	User   string        `json:"user,omitempty" doc:"absent for nobody"`
	Action string        `json:"action" doc:"stable: login, closeAlert, revokeSensor; of a denial the operation that was asked for"`
	Object string        `json:"object,omitempty" doc:"id of what it was done to"`
	Detail string        `json:"detail,omitempty"`
	OK     bool          `json:"ok" doc:"false: denied"`
}

// AuditLog is the latest of the audit log, newest first.
type AuditLog struct {
	Entries []AuditEntry `json:"entries"`
}

// AlertEvent, SensorEvent and the others are what the stream of live updates
// carries: what changed, for the client to ask anew.
type (
	AlertEvent struct {
		ID     string       `json:"id"`
		Status alert.Status `json:"status" enum:"open,closed,suppressed"`
		New    bool         `json:"new" doc:"raised just now"`
	}
	SensorEvent struct {
		ID string `json:"id" doc:"empty: the list changed"`
	}
	HealthEvent struct {
		Open int `json:"open"`
	}
	ChecklistEvent struct {
		Done bool `json:"done"`
	}
	// HeartbeatEvent comes every 15 s, so that a client can tell a quiet center
	// from a connection that is gone.
	HeartbeatEvent struct {
		Now activity.Time `json:"now" format:"date-time"`
	}
)
