# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A small sysfs tree for the tests of vtcctl, to be sourced: a PF with two VFs, one of them passed
# through, a NIC without driver, and a display controller that is none of our business.

# put FILE TEXT
put() {
	mkdir -p "${1%/*}"
	printf '%s\n' "$2" >"$1"
}

# A PCI function: ADDRESS CLASS VENDOR DEVICE
pci_function() {
	device=$tree/devices/pci0000:00/$1
	mkdir -p "$device" "$tree"/bus/pci/devices
	put "$device"/class "$2"
	put "$device"/vendor "$3"
	put "$device"/device "$4"
	ln -s ../../../devices/pci0000:00/"$1" "$tree"/bus/pci/devices/"$1"
	ln -s ../../../bus/pci "$device"/subsystem
}

# driver ADDRESS NAME
driver() {
	mkdir -p "$tree"/bus/pci/drivers/"$2"
	ln -s ../../../bus/pci/drivers/"$2" "$tree"/devices/pci0000:00/"$1"/driver
}

# netdev ADDRESS NAME IFINDEX: an interface that is up. The kernel has no such index.
netdev() {
	net=$tree/devices/pci0000:00/$1/net/$2
	mkdir -p "$net" "$tree"/class/net
	put "$net"/ifindex "$3"
	put "$net"/address 02:00:00:00:00:07
	put "$net"/mtu 1500
	put "$net"/flags 0x1003
	put "$net"/carrier 1
	put "$net"/speed 1000
	ln -s ../../../"$1" "$net"/device
	ln -s ../../devices/pci0000:00/"$1"/net/"$2" "$tree"/class/net/"$2"
}

# virtfn PF INDEX VF
virtfn() {
	ln -s ../"$3" "$tree"/devices/pci0000:00/"$1"/virtfn"$2"
	ln -s ../"$1" "$tree"/devices/pci0000:00/"$3"/physfn
}

# sysfs_tree DIRECTORY
sysfs_tree() {
	tree=$1
	pf=$tree/devices/pci0000:00/0000:3b:00.0
	pci_function 0000:00:02.0 0x030000 0x1234 0x1111
	pci_function 0000:04:00.0 0x020000 0x8086 0x10d3
	pci_function 0000:3b:00.0 0x020000 0x8086 0x10c9
	pci_function 0000:3b:10.0 0x020000 0x8086 0x10ca
	pci_function 0000:3b:10.2 0x020000 0x8086 0x10ca
	driver 0000:3b:00.0 igb
	driver 0000:3b:10.0 vfio-pci
	netdev 0000:3b:00.0 eth7 990007
	virtfn 0000:3b:00.0 0 0000:3b:10.0
	virtfn 0000:3b:00.0 1 0000:3b:10.2
	put "$pf"/sriov_totalvfs 7
	put "$pf"/sriov_numvfs 2
	put "$pf"/sriov_offset 128
	put "$pf"/sriov_stride 2
	put "$pf"/sriov_drivers_autoprobe 1
	put "$pf"/sriov_vf_total_msix 0
	put "$pf"/numa_node 0
	put "$pf"/local_cpulist 0-3
	put "$pf"/reset_method "flr bus"
}
