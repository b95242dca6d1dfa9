//! The command.

use super::args::Doctor;
use super::finding::{Finding, Kind};
use super::{delivery, long_poll, reach, stream, web_socket};
use crate::connection::{Method, Service};
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// The findings so far, shown as they come.
struct Report {
    output: Output,
    findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, finding: Finding) -> Outcome {
        self.output.write(&finding)?;
        self.findings.push(finding);
        self.output.flush()
    }

    /// Returns whether a check went well.
    fn is_good(&self, check: &str) -> bool {
        self.findings.iter().any(|finding| finding.check == check && finding.outcome == Kind::Good)
    }
}

impl Doctor {
    pub(crate) async fn run(self) -> Outcome {
        let service = self.identity.service(self.url.clone())?;
        let mut report = Report { output: Output::new(self.json), findings: Vec::new() };
        for finding in reach::check(&service, self.patience).await.map_err(|trouble| trouble.into_exit())? {
            report.add(finding)?;
        }
        report.add(web_socket::check(&service, &self.topic, self.patience).await)?;
        for finding in stream::check(&service, &self.topic, self.patience).await {
            report.add(finding)?;
        }
        report.add(long_poll::check(&service, &self.topic, self.hold).await)?;
        if self.publish {
            self.publish(&service, &mut report).await?;
        }
        judge(&report.findings)
    }

    async fn publish(&self, service: &Service, report: &mut Report) -> Outcome {
        let mut methods = Method::ALL.to_vec();
        methods.retain(|method| report.is_good(method.name()));
        for finding in delivery::check(service, &self.topic, &methods, self.patience).await {
            report.add(finding)?;
        }
        Ok(())
    }
}

/// Returns the end of the command.
fn judge(findings: &[Finding]) -> Outcome {
    let bad: Vec<&Finding> = findings.iter().filter(|finding| finding.outcome == Kind::Bad).collect();
    let served = Method::ALL.map(Method::name);
    let is_served = |finding: &&Finding| served.contains(&finding.check) && finding.outcome != Kind::Absent;
    match &bad[..] {
        [] if !findings.iter().any(|finding| is_served(&finding)) => {
            Err(Exit::InTheWay("none of the three methods is served at this URL".to_owned()))
        }
        [] => Ok(()),
        bad if bad.iter().all(|finding| finding.is_forbidden) => {
            Err(Exit::Refused("the service is closed to whoever has no token for this topic".to_owned()))
        }
        bad => {
            let checks: Vec<&str> = bad.iter().map(|finding| finding.check).collect();
            Err(Exit::InTheWay(format!("not as it should be: {}", checks.join(", "))))
        }
    }
}
