# A Ray of this job's own by srun, its head on the first node and the driver beside it.
set -u

# The address of this node, as the other nodes reach it.
address() {
    local found
    if [[ -n $interface ]]; then
        found=$(ip -4 -oneline address show dev "$interface" | awk '{sub("/.*", "", $4); print $4}')
    else
        found=$(scontrol show --oneliner node "$SLURMD_NODENAME" | grep -o 'NodeAddr=[^ ]*')
        found=$(getent ahostsv4 "${found#*=}" | awk 'NR == 1 {print $1}')
        # Debian's /etc/hosts names the machine itself so: nobody else reaches that.
        [[ $found == 127.0.1.1 ]] && found=$(hostname -I | awk '{print $1}')
    fi
    echo "$found"
}

listening() { (exec 3<>"/dev/tcp/$head/$port") 2>/dev/null; }

# What srun runs on every node. The temporary folder is short: a socket's path ends at 107 characters.
ray_node() {
    local options
    folder=$(mktemp -d "/tmp/teasel-$SLURM_JOB_ID-XXXXXX")
    trap 'rm -rf "$folder"' EXIT
    trap : TERM # Ray ends first
    options=(
        --temp-dir "$folder" --node-ip-address "$(address)" --dashboard-agent-listen-port 0
        --num-cpus "$SLURM_CPUS_ON_NODE" --num-gpus "${SLURM_GPUS_ON_NODE:-0}"
        --object-store-memory 134217728 --include-log-monitor false
        --disable-usage-stats --log-color false --block
    )
    if ((SLURM_NODEID == 0)); then
        options+=(--head --port "$port" --ray-client-server-port $((port + 1)))
        options+=(--include-dashboard false --dashboard-port $((port + 2)))
    else
        until listening || ((SECONDS > 300)); do sleep 1; done
        options+=(--address "$head:$port")
    fi
    ${container[@]+"${container[@]}"} ray start "${options[@]}"
}

head=$(address)
if [[ -z $head ]]; then
    echo "teasel: no IPv4 address of ${interface:-$SLURMD_NODENAME}" >&2
    exit 1
fi
port=$((20000 + SLURM_JOB_ID % 4000 * 3))
while listening; do port=$((port + 3)); done

# The token lives in the environment of this job's processes and nowhere else.
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN interface head port
# When Ray is asked to end there is nothing left to wait for.
export RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0

# Where Ray ends on one node, the others go on. If the node itself is lost, Slurm takes the whole job
# back into the queue: told to keep it (--no-kill), it would keep it without this script, too.
srun --export=ALL --kill-on-bad-exit=0 --cpu-bind=none \
    --nodes="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    bash -c "$(declare -p container); $(declare -f address listening ray_node); ray_node" &
ray=$!
drive() {
    until listening; do sleep 1; done
    exec ${container[@]+"${container[@]}"} "${study[@]}" --address "$head:$port"
}
drive &
driver=$!
# Once: warned again, the driver would stop without saving.
trap 'warned=yes; kill -TERM "$driver" 2>/dev/null; trap : TERM' TERM
[[ -n $warned ]] && kill -TERM "$driver"
while kill -0 "$driver" 2>/dev/null && kill -0 "$ray" 2>/dev/null; do
    sleep 1 &
    wait $! # which a warning interrupts
done
kill -KILL "$driver" 2>/dev/null
wait "$driver"
code=$?
# A driver that has lost the head of its Ray ends with 1 or 3, one that was killed here with 137.
if ((code == 1 || code == 3 || code == 137)) && [[ -z $warned ]] && ! listening; then
    echo "teasel: Ray has ended before the study" >&2
    # In the first ten minutes, before anything is saved, it would only do so again.
    code=$((SECONDS > 600 ? 3 : 1))
fi

# Of an array, the last job has the number of the whole.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job=${job:-$SLURM_JOB_ID}

# This asks the nodes' Ray to end; what srun sends when it is killed leaves no time for that.
scancel --quiet --signal=TERM "$job"
timeout 20 tail --pid="$ray" --follow /dev/null
kill "$ray" 2>/dev/null
wait "$ray"

# Interrupted, with work left; 143 if it was too early to say so. A job that somebody cancels is no
# longer RUNNING, and stays away.
if ((code == 3 || code == 143)) && [[ $(squeue --noheader --jobs "$job" --format %T) == RUNNING ]]; then
    echo "teasel: back into the queue"
    scontrol requeue "$job"
fi
exit "$code"
