//! The gates as a JUnit report, which every CI system shows.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::gate::{Gate, Status};
use super::results::Results;
use super::words::verdict;

/// A test case for each gate, and one for the run as a whole. The verdict stands beside them.
///
/// # Errors
///
/// A text that XML cannot hold.
pub fn junit(results: &Results, gates: &[(&Gate, Status, String)]) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(format!("foreword measure {}", results.suite));
    for (gate, status, shown) in gates {
        let mut case_status = match status {
            Status::Passed => TestCaseStatus::success(),
            // Not kept either: a pipeline that looks at this file alone must not take it for passed.
            Status::Inconclusive | Status::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        };
        case_status.set_message(format!("{status}: {shown}"));
        let mut case = TestCase::new(gate.text.clone(), case_status);
        case.set_system_out(format!("{status}: {shown}"));
        suite.add_test_case(case);
    }
    let mut whole = TestCaseStatus::success();
    if let Some(reason) = &results.failed {
        whole = TestCaseStatus::non_success(NonSuccessKind::Error);
        whole.set_message(reason.clone());
    }
    suite.add_test_case(TestCase::new("the run has its answers", whole));
    suite.set_system_out(verdict(results).join("\n"));
    let mut report = Report::new("foreword measure");
    report.add_test_suite(suite);
    report.to_string()
}
