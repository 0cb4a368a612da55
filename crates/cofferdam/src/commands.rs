//! One file a command.

pub(crate) mod account;
mod allow;
mod backup;
pub(crate) mod doctor;
pub(crate) mod enter;
pub(crate) mod exec_launch;
mod gateway;
pub(crate) mod image;
pub(crate) mod init;
pub(crate) mod keeper;
mod lab;
pub(crate) mod leaktest;
pub(crate) mod ledger;
mod login;
mod plan;
mod practice;
mod quarantine;
mod refresh;
mod run;
mod runs;
mod serve;
pub(crate) mod stack_error;
pub(crate) mod status;
mod trust;
mod version;
mod why;

use crate::cli::Command;
use crate::exit::Failure;
use crate::printer::Printer;

/// Does what was said; the exit code.
pub(crate) fn dispatch(command: Command, printer: &Printer) -> Result<u8, Failure> {
    match command {
        Command::Run(flags) => run::run(&flags, printer),
        Command::Learn(flags) => run::run(&flags.learning(), printer),
        Command::Ps(command) => runs::ps(&command, printer),
        Command::Stop(command) => runs::stop(&command, printer),
        Command::Logs(command) => runs::logs(&command, printer),
        Command::Allow(command) => allow::allow(&command, printer),
        Command::Plan(command) => plan::plan(&command, printer),
        Command::Why(command) => why::why(&command, printer),
        Command::Trust(command) => trust::trust(&command, printer),
        Command::Try(command) => practice::practice(&command, printer),
        Command::Account(command) => account::account(&command, printer),
        Command::Login(command) => login::login(&command, printer),
        Command::Backup(command) => backup::backup(&command, printer),
        Command::Status(command) => status::status(&command, printer),
        Command::Doctor(command) => doctor::doctor(&command, printer),
        Command::Quarantine(command) => quarantine::quarantine(&command, printer),
        Command::Ledger(command) => ledger::ledger(&command, printer),
        Command::Refresh(command) => refresh::refresh(&command, printer),
        Command::Lab(command) => lab::lab(&command, printer),
        Command::Leaktest(command) => leaktest::leaktest(&command, printer),
        Command::Serve(command) => serve::serve(&command, printer),
        Command::Gateway(command) => gateway::gateway(&command, printer),
        Command::Init(command) => init::init(&command, printer),
        Command::Keeper(command) => keeper::keeper(&command, printer),
        Command::Enter(command) => enter::enter(&command, printer),
        Command::Image(command) => image::image(&command, printer),
        Command::Version(command) => version::version(&command, printer),
        Command::GatewayOfRun => Ok(crate::gateway::serve::gateway_of_run()),
        Command::KeyAgentsOfRun => Ok(crate::key_agents::serve::key_agents_of_run()),
        Command::ExecLaunch(command) => exec_launch::exec_launch(&command, printer),
    }
}
