package asreproast_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/asreproast"
	"github.com/verderer/verderer/center/detect/detecttest"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, asreproast.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
