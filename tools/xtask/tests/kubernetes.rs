//! Properties of `deploy/kubernetes.yaml` that Kubernetes' schemas do not check: its parts fit each other.

#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, fs, path::Path};

use serde_json::Value;

const PORTS: [(&str, u64); 3] = [("ws-echo", 8080), ("longpoll-server", 3000), ("sse-server", 3001)];

/// The resources, by kind and name.
fn resources() -> HashMap<(String, String), Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kubernetes.yaml");
    let resources: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
    let name = |of: &Value| of.as_str().unwrap().to_owned();
    resources
        .into_iter()
        .map(|resource| ((name(&resource["kind"]), name(&resource["metadata"]["name"])), resource))
        .collect()
}

#[test]
fn each_service_is_complete_and_its_parts_fit() {
    let resources = resources();
    let find = |kind: &str, name: &str| resources.get(&(kind.to_owned(), name.to_owned())).expect("it is there");
    let config = &find("ConfigMap", "push")["data"];
    let drain = config["PUSH_DRAIN"].as_str().and_then(|drain| drain.strip_suffix('s')?.parse::<u64>().ok()).unwrap();
    for (name, port) in PORTS {
        let deployment = &find("Deployment", name)["spec"];
        let pod = &deployment["template"]["spec"];
        let container = &pod["containers"][0];
        let labels = &deployment["template"]["metadata"]["labels"];

        // Everything that selects the pods of this service selects those of no other.
        let budget = &find("PodDisruptionBudget", name)["spec"];
        let spread = &pod["topologySpreadConstraints"][0];
        for selector in [
            &deployment["selector"]["matchLabels"],
            &budget["selector"]["matchLabels"],
            &spread["labelSelector"]["matchLabels"],
            &find("Service", name)["spec"]["selector"],
        ] {
            assert_eq!(selector["app.kubernetes.io/name"], name);
            assert!(selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value), "{selector}");
        }

        assert_eq!(container["ports"][0]["containerPort"], port);
        assert_eq!(find("Service", name)["spec"]["ports"][0]["port"], port);
        assert_eq!(find("Service", name)["spec"]["ports"][0]["targetPort"], container["ports"][0]["name"]);
        for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            assert_eq!(container[probe]["httpGet"]["path"], path);
            assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"]);
        }

        assert_eq!(container["envFrom"][0]["configMapRef"]["name"], "push");
        let asleep = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
        let patience = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(patience > asleep + drain, "{name} is killed while it drains");
    }
}
