//! The process: flags, logging, the socket, the signal. Everything else is in the library.

use std::process::ExitCode;

use serving::config::Command;
use serving::{command_line, healthcheck, log_writer, logging, runtime, server, signals};
use ws_echo::Config;

// jemalloc packs the many small allocations of waiting connections, and returns the memory of bursts.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let config = command_line::parse::<Config>();
    let result = match runtime::runtime(config.busy_threads()) {
        Ok(runtime) => runtime.block_on(obey(config)),
        Err(error) => Err(error.into()),
    };
    log_writer::flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(config: Config) -> anyhow::Result<()> {
    match config.flags.command {
        Some(Command::Healthcheck) => {
            healthcheck::ask(config.flags.listen, config.flags.common.tls.is_asked_for()).await.map_err(Into::into)
        }
        Some(Command::NewEpoch) => config.begin_epoch().map_err(Into::into),
        None => run(config).await,
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    logging::start(&config.flags.common.log)?;
    let stop = signals::stop_signal()?;
    let listener = server::listen_with(config.flags.listen, &config.flags.common.connections)?;
    ws_echo::run(listener, config, stop).await?;
    Ok(())
}
