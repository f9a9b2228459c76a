package dcsync_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/dcsync"
	"github.com/verderer/verderer/center/detect/detecttest"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, dcsync.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
