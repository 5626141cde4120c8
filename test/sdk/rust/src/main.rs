//! A worker process that runs the functions with the Rust SDK; see worker.mjs.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use resonate_sdk::prelude::*;
use resonate_sdk_postgres::PostgresNetwork;
use serde_json::{json, Value};
use tokio::io::AsyncBufReadExt;
use tokio::sync::Mutex;

static CONFIG: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&std::env::args().nth(1).unwrap()).unwrap());

fn config(name: &str) -> &'static str {
    CONFIG[name].as_str().unwrap()
}

/// Tells the parent, in one write.
fn tell(message: Value) {
    println!("{message}");
}

/// Appends a line to the journal, in one write.
fn note(what: String) {
    let line = json!({"worker": config("name"), "what": what});
    std::fs::OpenOptions::new()
        .append(true)
        .open(config("journal"))
        .unwrap()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

// ---- the steps

#[resonate_sdk::function]
async fn step(workflow: String, number: i64, gate: Option<String>) -> Result<i64> {
    note(format!("{workflow} begins {number}"));
    if let Some(gate) = gate {
        while !Path::new(config("gates")).join(&gate).exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    note(format!("{workflow} ends {number}"));
    Ok(number)
}

#[resonate_sdk::function]
async fn work(workflow: String, milliseconds: u64) -> Result<u64> {
    note(format!("{workflow} works"));
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    Ok(milliseconds)
}

#[resonate_sdk::function]
async fn announce(workflow: String, promise: String) -> Result<()> {
    note(format!("{workflow} awaits {promise}"));
    Ok(())
}

#[resonate_sdk::function]
async fn charge(workflow: String, amount: i64) -> Result<i64> {
    note(format!("{workflow} charges"));
    Ok(amount)
}

#[resonate_sdk::function]
async fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Ok(since.unwrap().as_millis() as u64)
}

#[resonate_sdk::function]
async fn square(number: i64) -> Result<i64> {
    Ok(number * number)
}

#[resonate_sdk::function]
async fn tick(name: String) -> Result<String> {
    note(format!("{name} ticks"));
    Ok(name)
}

#[resonate_sdk::function]
async fn fail() -> Result<()> {
    Err(Error::Application {
        message: "failed on purpose".to_string(),
    })
}

// ---- the workflows

/// Both halves of the tree are remote calls, for whoever is free.
#[resonate_sdk::function]
async fn fib(ctx: &Context, n: i64) -> Result<i64> {
    let mut sum = n;
    if n >= 2 {
        let left = ctx.rpc::<i64>("fib", n - 1).target(config("group")).spawn()?;
        let right = ctx.rpc::<i64>("fib", n - 2).target(config("group")).spawn()?;
        sum = left.await? + right.await?;
    }
    note("fib ends".to_string());
    Ok(sum)
}

#[resonate_sdk::function]
async fn fan(ctx: &Context, n: i64) -> Result<i64> {
    let mut remote = Vec::new();
    let mut local = Vec::new();
    let mut sum = 0;
    for i in 1..=n {
        remote.push(ctx.rpc::<i64>("square", i).target(config("group")).spawn()?);
        local.push(ctx.run(square, i).spawn()?);
    }
    for call in remote {
        sum += call.await?;
    }
    for call in local {
        sum += call.await?;
    }
    Ok(sum)
}

#[resonate_sdk::function]
async fn nap(ctx: &Context, milliseconds: u64, times: u64) -> Result<u64> {
    let start: u64 = ctx.run(now, ()).await?;
    for _ in 0..times {
        ctx.sleep(Duration::from_millis(milliseconds)).await?;
    }
    let end: u64 = ctx.run(now, ()).await?;
    Ok(end - start)
}

#[resonate_sdk::function]
async fn approval(ctx: &Context) -> Result<Value> {
    let promise = ctx.promise::<Value>().create()?;
    let id = promise.id().await?;
    ctx.run(announce, (ctx.id().to_string(), id)).await?;
    Ok(json!({"decision": promise.await?}))
}

#[resonate_sdk::function]
async fn launch(ctx: &Context) -> Result<String> {
    let child = ctx.detached("approval", ()).target(config("group")).spawn()?;
    child.id().await
}

#[resonate_sdk::function]
async fn steps(ctx: &Context, count: i64, gated: i64, gate: String) -> Result<Vec<i64>> {
    let mut done = Vec::new();
    for i in 1..=count {
        let gate = (i == gated).then(|| gate.clone());
        done.push(ctx.run(step, (ctx.id().to_string(), i, gate)).await?);
    }
    Ok(done)
}

#[resonate_sdk::function(name = "longStep")]
async fn long_step(ctx: &Context, milliseconds: u64) -> Result<u64> {
    ctx.run(work, (ctx.id().to_string(), milliseconds)).await
}

#[resonate_sdk::function]
async fn order(ctx: &Context, number: i64) -> Result<i64> {
    let amount: i64 = ctx.run(charge, (ctx.id().to_string(), number)).await?;
    let squared: i64 = ctx.rpc("square", number).target(config("group")).await?;
    Ok(amount + squared)
}

#[resonate_sdk::function]
async fn broken(ctx: &Context) -> Result<()> {
    ctx.run(fail, ()).await
}

#[resonate_sdk::function]
async fn catching(ctx: &Context) -> Result<String> {
    match ctx.rpc::<()>("broken", ()).target(config("group")).await {
        Err(Error::Application { message }) => Ok(format!("caught: {message}")),
        Err(error) => Err(error),
        Ok(()) => Ok("nothing caught".to_string()),
    }
}

fn register(resonate: &Resonate) -> Result<()> {
    resonate.register(square)?;
    resonate.register(tick)?;
    resonate.register(charge)?;
    resonate.register(fib)?;
    resonate.register(fan)?;
    resonate.register(nap)?;
    resonate.register(approval)?;
    resonate.register(launch)?;
    resonate.register(steps)?;
    resonate.register(long_step)?;
    resonate.register(order)?;
    resonate.register(broken)?;
    resonate.register(catching)
}

// ---- what the parent asks for

type Handles = Mutex<HashMap<String, Arc<ResonateHandle<Value>>>>;

/// As the SDK sends arguments: none, one by itself, more as a tuple.
fn arguments(command: &Value) -> Value {
    match command["args"].as_array().unwrap().as_slice() {
        [] => Value::Null,
        [one] => one.clone(),
        more => json!(more),
    }
}

async fn begin(resonate: &Resonate, handles: &Handles, command: &Value) -> Result<()> {
    let id = command["id"].as_str().unwrap();
    let func = command["func"].as_str().unwrap();
    let mut call = resonate
        .rpc::<_, Value>(id, func, arguments(command))
        .target(command["target"].as_str().unwrap());
    if let Some(timeout) = command["timeout"].as_u64() {
        call = call.timeout(Duration::from_millis(timeout));
    }
    let handle = Arc::new(call.spawn().await?);
    handles.lock().await.insert(id.to_string(), handle);
    Ok(())
}

async fn result(resonate: &Resonate, handles: &Handles, id: &str) -> Result<Value> {
    let known = handles.lock().await.get(id).cloned();
    match known {
        Some(handle) => handle.result().await,
        None => resonate.get(id).await?.result().await,
    }
}

async fn obey(resonate: &Resonate, handles: &Handles, command: &Value) -> Result<Value> {
    let id = command["id"].as_str().unwrap();
    match command["do"].as_str().unwrap() {
        "run" => {
            // Known at compile time, which is why there is only this one.
            assert_eq!(command["func"], "order");
            let number = command["args"][0].as_i64().unwrap();
            Ok(json!(resonate.run(id, order, number).await?))
        }
        "begin" => begin(resonate, handles, command).await.map(|_| Value::Null),
        "result" => result(resonate, handles, id).await,
        "schedule" => {
            let cron = command["cron"].as_str().unwrap();
            let func = command["func"].as_str().unwrap();
            let schedule = resonate.schedule(id, cron, func, arguments(command));
            schedule.target(command["target"].as_str().unwrap()).await?;
            Ok(Value::Null)
        }
        "scheduled" => Ok(json!(resonate.schedules.get(id).await?.cron)),
        "unschedule" => resonate.schedules.delete(id).await.map(|_| Value::Null),
        other => panic!("there is no command {other}"),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let network = PostgresNetwork::builder(config("connectionString"))
        .group(config("group"))
        .build();
    let resonate = Arc::new(Resonate::new(ResonateConfig {
        network: Some(Arc::new(network)),
        ttl: CONFIG["ttl"].as_u64(),
        ..Default::default()
    }));
    let handles = Arc::new(Handles::default());
    let mut lines = tokio::io::BufReader::new(tokio::io::stdin()).lines();

    register(&resonate)?;
    while let Some(line) = lines.next_line().await? {
        let command: Value = serde_json::from_str(&line)?;
        let (resonate, handles) = (resonate.clone(), handles.clone());
        tokio::spawn(async move {
            tell(match obey(&resonate, &handles, &command).await {
                Ok(result) => json!({"call": command["call"], "result": result}),
                Err(error) => json!({"call": command["call"], "failure": error.to_string()}),
            });
        });
    }
    // The parent has gone: at once, as if killed.
    std::process::exit(0)
}
