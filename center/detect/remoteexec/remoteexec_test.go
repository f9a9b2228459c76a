package remoteexec_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/remoteexec"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, remoteexec.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
