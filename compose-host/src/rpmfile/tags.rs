//! Tag numbers of RPM headers that compose reads or writes (rpm's `rpmtag.h`); all are part of the format.

/// Region tag of the signature header.
pub const HEADER_SIGNATURES: u32 = 62;
/// Region tag of the main header: what the digests and signatures cover.
pub const HEADER_IMMUTABLE: u32 = 63;

/// Size of header and payload, as rpmdb calls it.
pub const SIGSIZE: u32 = 257;
/// Header and payload size above 4 GiB; the same number in a file and in rpmdb.
pub const LONGSIGSIZE: u32 = 270;
/// PGP signature over header and payload, as rpmdb calls it.
pub const SIGPGP: u32 = 259;
/// MD5 over header and payload, as rpmdb calls it.
pub const SIGMD5: u32 = 261;
/// GPG signature over header and payload, as rpmdb calls it.
pub const SIGGPG: u32 = 262;
/// DSA signature over the header.
pub const DSAHEADER: u32 = 267;
/// RSA signature over the header.
pub const RSAHEADER: u32 = 268;
/// SHA-1 over the header, hex.
pub const SHA1HEADER: u32 = 269;
/// Archive size above 4 GiB.
pub const LONGARCHIVESIZE: u32 = 271;
/// SHA-256 over the header, hex.
pub const SHA256HEADER: u32 = 273;
/// File signatures (IMA) in a signature header; rpmdb says 5090.
pub const SIG_FILESIGNATURES: u32 = 274;
/// Their length; rpmdb says 5091.
pub const SIG_FILESIGNATURELENGTH: u32 = 275;
/// fs-verity signatures.
pub const VERITYSIGNATURES: u32 = 276;
/// fs-verity algorithm.
pub const VERITYSIGNATUREALGO: u32 = 277;
/// OpenPGP signatures of rpm 6, base64.
pub const OPENPGP: u32 = 278;
/// SHA3-256 over the header, hex.
pub const SHA3_256HEADER: u32 = 279;
/// Header and payload size in a signature header.
pub const SIG_SIZE: u32 = 1000;
/// PGP signature over header and payload in a signature header.
pub const SIG_PGP: u32 = 1002;
/// MD5 in a signature header.
pub const SIG_MD5: u32 = 1004;
/// GPG signature over header and payload in a signature header.
pub const SIG_GPG: u32 = 1005;
/// Archive size in a signature header.
pub const SIG_PAYLOADSIZE: u32 = 1007;

/// Name.
pub const NAME: u32 = 1000;
/// Version.
pub const VERSION: u32 = 1001;
/// Release.
pub const RELEASE: u32 = 1002;
/// Epoch.
pub const EPOCH: u32 = 1003;
/// Install time (rpmdb only).
pub const INSTALLTIME: u32 = 1008;
/// Group.
pub const GROUP: u32 = 1016;
/// Architecture.
pub const ARCH: u32 = 1022;
/// %pre.
pub const PREIN: u32 = 1023;
/// %post.
pub const POSTIN: u32 = 1024;
/// File names of rpm 3.
pub const OLDFILENAMES: u32 = 1027;
/// File sizes.
pub const FILESIZES: u32 = 1028;
/// File states (rpmdb only), a byte a file.
pub const FILESTATES: u32 = 1029;
/// File modes.
pub const FILEMODES: u32 = 1030;
/// Device numbers.
pub const FILERDEVS: u32 = 1033;
/// File digests, hex.
pub const FILEDIGESTS: u32 = 1035;
/// Symlink targets.
pub const FILELINKTOS: u32 = 1036;
/// File flags.
pub const FILEFLAGS: u32 = 1037;
/// Owning users.
pub const FILEUSERNAME: u32 = 1039;
/// Owning groups.
pub const FILEGROUPNAME: u32 = 1040;
/// Present in binary packages only.
pub const SOURCERPM: u32 = 1044;
/// Archive size (rpmdb only).
pub const ARCHIVESIZE: u32 = 1046;
/// Provides.
pub const PROVIDENAME: u32 = 1047;
/// Flags of requires.
pub const REQUIREFLAGS: u32 = 1048;
/// Requires.
pub const REQUIRENAME: u32 = 1049;
/// Versions of requires.
pub const REQUIREVERSION: u32 = 1050;
/// Conflicts.
pub const CONFLICTNAME: u32 = 1054;
/// Names of triggers.
pub const TRIGGERNAME: u32 = 1066;
/// Flags of triggers: which kind.
pub const TRIGGERFLAGS: u32 = 1068;
/// Interpreter of %pre.
pub const PREINPROG: u32 = 1085;
/// Interpreter of %post.
pub const POSTINPROG: u32 = 1086;
/// Obsoletes.
pub const OBSOLETENAME: u32 = 1090;
/// Device of each file at build time; with the inode it names hard links.
pub const FILEDEVICES: u32 = 1095;
/// Inode of each file at build time.
pub const FILEINODES: u32 = 1096;
/// Flags of provides.
pub const PROVIDEFLAGS: u32 = 1112;
/// Versions of provides.
pub const PROVIDEVERSION: u32 = 1113;
/// Index into DIRNAMES of each file.
pub const DIRINDEXES: u32 = 1116;
/// Last path component of each file.
pub const BASENAMES: u32 = 1117;
/// Directories.
pub const DIRNAMES: u32 = 1118;
/// Always `cpio`.
pub const PAYLOADFORMAT: u32 = 1124;
/// Compression of the payload.
pub const PAYLOADCOMPRESSOR: u32 = 1125;
/// Colour at install time (rpmdb only).
pub const INSTALLCOLOR: u32 = 1127;
/// Transaction id (rpmdb only).
pub const INSTALLTID: u32 = 1128;
/// %posttrans.
pub const POSTTRANS: u32 = 1152;
/// Interpreter of %posttrans.
pub const POSTTRANSPROG: u32 = 1154;
/// File sizes above 4 GiB.
pub const LONGFILESIZES: u32 = 5008;
/// Capabilities of files, as text.
pub const FILECAPS: u32 = 5010;
/// Algorithm of FILEDIGESTS; absent = MD5.
pub const FILEDIGESTALGO: u32 = 5011;
/// Flags of %pre.
pub const PREINFLAGS: u32 = 5020;
/// Flags of %post.
pub const POSTINFLAGS: u32 = 5021;
/// Flags of %posttrans.
pub const POSTTRANSFLAGS: u32 = 5025;
/// OrderWithRequires.
pub const ORDERNAME: u32 = 5035;
/// Its versions.
pub const ORDERVERSION: u32 = 5036;
/// Its flags.
pub const ORDERFLAGS: u32 = 5037;
/// Recommends.
pub const RECOMMENDNAME: u32 = 5046;
/// Suggests.
pub const SUGGESTNAME: u32 = 5049;
/// Supplements.
pub const SUPPLEMENTNAME: u32 = 5052;
/// Enhances.
pub const ENHANCENAME: u32 = 5055;
/// File triggers' path prefixes.
pub const FILETRIGGERNAME: u32 = 5069;
/// Transaction file triggers' path prefixes.
pub const TRANSFILETRIGGERNAME: u32 = 5079;
/// File signatures in rpmdb.
pub const FILESIGNATURES: u32 = 5090;
/// Their length in rpmdb.
pub const FILESIGNATURELENGTH: u32 = 5091;
/// SHA-256 of the payload as it lies in the file, hex.
pub const PAYLOADDIGEST: u32 = 5092;
/// Algorithm of PAYLOADDIGEST; 8 = SHA-256.
pub const PAYLOADDIGESTALGO: u32 = 5093;
/// Flags of transaction file triggers: which kind.
pub const TRANSFILETRIGGERFLAGS: u32 = 5082;
/// Which file trigger a path prefix belongs to.
pub const FILETRIGGERINDEX: u32 = 5070;
/// Which transaction file trigger a path prefix belongs to.
pub const TRANSFILETRIGGERINDEX: u32 = 5080;
