package dpapibackupkey_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/dpapibackupkey"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, dpapibackupkey.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
