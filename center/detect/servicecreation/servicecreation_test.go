package servicecreation_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/servicecreation"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, servicecreation.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
