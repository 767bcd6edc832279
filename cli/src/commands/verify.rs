//! `mailbearer verify`: walks the whole chain and says for each link what was seen and what to do.

use std::time::{Duration, Instant};

use mailbearer::doctor::Report;
use mailbearer::{Call, Cancel, Mailer, VerifyRequest};
use serde_json::json;

use crate::arguments::{self, Global};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::{exit, interrupt, options};

pub(super) fn run(global: &Global, arguments: arguments::Verify, output: Output) -> Result<i32> {
    let mailer = options::mailer(global, &arguments.options, output)?;
    let cancel = Cancel::default();
    let call = Call { timeout: arguments.timeout, cancel: cancel.clone(), ..Call::default() };
    let request = VerifyRequest { send_to: arguments.send_to, call, ..VerifyRequest::default() };
    let verdict = interrupt::block_on(&cancel, async {
        match arguments.wait {
            None => mailer.verify(request).await.map_err(Failure::from),
            Some(patience) => until_green(&mailer, request, patience, &cancel, output).await,
        }
    })?;
    interrupt::close(&mailer, &output)?;
    match verdict {
        Ok(report) => {
            show(&report, output)?;
            Ok(exit::OK)
        }
        Err(Failure::Core(error)) if error.report().is_some() => {
            if let Some(report) = error.report() {
                show(report, output)?;
            }
            Ok(exit::of(&error))
        }
        Err(failure) => Err(failure),
    }
}

fn show(report: &Report, output: Output) -> Result<()> {
    match output.json {
        true => output.value(&json!(report)),
        false => output.data(report.to_string().trim_end()),
    }
}

/// New permissions take up to an hour to arrive at every server: walks again and again.
async fn until_green(
    mailer: &Mailer,
    request: VerifyRequest,
    patience: Duration,
    cancel: &Cancel,
    output: Output,
) -> Result<Report> {
    let began = Instant::now();
    loop {
        let error = match mailer.verify(request.clone()).await {
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() || error.report().is_none() || cancel.is_cancelled() {
            return Err(error.into());
        }
        let pause = left.min(BETWEEN);
        output.note(&format!("not yet: {}; next try in {} s", error.message(), pause.as_secs_f64().ceil()));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.cancelled() => return Err(Failure::Interrupted),
        }
    }
}

/// Between two walks.
const BETWEEN: Duration = Duration::from_secs(30);
